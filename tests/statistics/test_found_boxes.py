"""Average precision without each image, against counting it again by pycocotools, and a direct bootstrap."""

import numpy as np
import pytest
import torch

from pipelines.evaluation.average_precision import AveragePrecision
from pipelines.evaluation.detections import Detections
from pipelines.evaluation.matches import matches
from pipelines.report.image_parts import image_parts
from pipelines.scene import Scene
from pipelines.statistics import found_boxes
from pipelines.statistics.found_boxes import found_without
from pipelines.statistics.intervals import of_parts

NAMES = ("cat", "bus", "car")
NUMBERS = ("ap", "ap50", "ap75")


def drawn(draw: np.random.Generator, most: int) -> torch.Tensor:
    corner, side = draw.uniform(0, 60, (draw.integers(0, most + 1), 2)), draw.uniform(10, 30)
    return torch.tensor(np.concatenate([corner, corner + side], axis=1), dtype=torch.float32).view(-1, 4)


def image(draw: np.random.Generator, classes: int) -> tuple[Scene, Detections]:
    """Things, some hard to see; boxes near them, twice now and then, and boxes of nothing; scores are often equal."""
    things = drawn(draw, 3)
    label = torch.tensor(draw.integers(1, classes + 1, len(things)))
    scene = Scene(torch.zeros(3, 0, 0), things, label, torch.tensor(draw.random(len(things)) < 0.2))
    seen = torch.tensor(draw.random(len(things)) < 0.8)
    near = torch.cat([things[seen], things[:1]]) + torch.tensor(
        draw.normal(0, 1.5, (int(seen.sum()) + len(things[:1]), 4))
    )
    boxes = torch.cat([near.float(), drawn(draw, 2)])
    named = torch.cat([label[seen], label[:1]])
    other = torch.tensor(draw.integers(1, classes + 1, len(boxes) - len(named)))
    return scene, Detections(
        boxes, torch.cat([named, other]), torch.tensor(draw.random(len(boxes)).round(1), dtype=torch.float32)
    )


def counted(pairs) -> dict[str, float]:
    score = AveragePrecision()
    for scene, found in pairs:
        score.add(scene, found)
    return score.values(NAMES)


@pytest.fixture(scope="module")
def pairs():
    draw = np.random.default_rng(3)
    return [*(image(draw, 2) for _ in range(11)), image(draw, 3)]  # a third class is at most in one image


def said_of(pairs):
    return matches(*zip(*pairs, strict=True), len(NAMES))


def test_the_number_and_it_without_each_image_are_pycocotools(pairs):
    parts = {number: image_parts("detection", number, said_of(pairs)) for number in NUMBERS}
    whole, M = counted(pairs), len(pairs)
    assert 0.2 < whole["ap"] < 0.9
    assert {number: each.mean() for number, each in parts.items()} == pytest.approx(
        {n: whole[n] for n in NUMBERS}, abs=1e-6
    )
    without = [counted(pairs[:i] + pairs[i + 1 :]) for i in range(M)]
    for number in NUMBERS:  # pseudo-values are shifted by what all share, so their differences tell
        left = np.array([each[number] for each in without])
        assert np.diff(parts[number]) == pytest.approx(-(M - 1) * np.diff(left), abs=1e-4)


def test_images_are_taken_in_parts_of_any_size(pairs, monkeypatch):
    whole = image_parts("detection", "ap", said_of(pairs))
    monkeypatch.setattr(found_boxes, "ELEMENTS", 1)
    assert np.array_equal(image_parts("detection", "ap", said_of(pairs)), whole)


def test_nothing_to_find_has_no_precision_and_nothing_found_has_none_either():
    whole, without = found_without([0, 1], [0, 0], [0, 0])
    assert np.isnan([whole, *without]).all()
    whole, without = found_without([0, 1], [0, -1], [0, 2])
    assert (whole, without[0]) == (0, 0)
    assert np.isnan(without[1])
    assert found_without([1, 0, 1], [1, 0, 1], [0, 2, 1])[0] == pytest.approx((34 + 33 * 2 / 3) / 101)


def test_the_interval_of_one_seed_agrees_with_a_direct_bootstrap_of_images():
    M, draw = 150, np.random.default_rng(1)
    said = said_of([image(draw, 1) for _ in range(M)])
    found = of_parts(image_parts("detection", "ap50", said)[None])
    own = np.split(np.arange(len(said["image"])), np.searchsorted(said["image"], np.arange(1, M)))
    direct = []
    for _ in range(300):
        rows = draw.integers(0, M, M)
        boxes = np.concatenate([own[row] for row in rows])
        order = np.argsort(-said["score"][boxes], kind="stable")
        owner = np.repeat(np.arange(M), [len(own[row]) for row in rows])[order]
        direct.append(found_without(owner, said["verdict"][boxes][order, 0], said["things"][rows, 0])[0])
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std(direct), rel=0.2)
    assert found.low < np.mean(direct) < found.high
