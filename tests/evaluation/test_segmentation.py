"""The segmentation probe: scikit-learn's optimum and Jaccard index, void pixels, and a small copy of VOC 2012."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score
from study_tools import Made
from voc_tools import masked_voc

from pipelines.errors import InputError
from pipelines.evaluation.segmentation import (
    VOID,
    Maps,
    counted,
    intersection_over_union,
    measure,
    shares_of,
    train,
)
from pipelines.report.comparison import comparisons
from pipelines.report.study import results_of
from pipelines.spec.evaluation.segmentation import Options
from pipelines.spec.plan import plan_file

NAMES = ("background", "cat", "dog")


def given(noise: float = 0.5) -> Maps:
    """Maps of 4 x 4 places whose features point to the class of their cell of 3 x 3 pixels."""
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 6, generator=draw)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        cells = torch.randint(3, (count, 4, 4), generator=draw)
        maps = centres[cells] + noise * torch.randn(count, 4, 4, 6, generator=draw)
        mask = cells.repeat_interleave(3, 1).repeat_interleave(3, 2).to(torch.uint8)
        mask[:, :, 5] = VOID
        return maps.movedim(-1, 1).contiguous(), mask

    return Maps(*split(20), *split(10), torch.arange(0, 20, 4), NAMES)


def test_the_probe_is_scikit_learns_optimum_on_the_places():
    f, strength = given(), 0.01
    shares = shares_of(f.train_mask, 3, (4, 4))
    rows, target = f.train.movedim(1, -1).reshape(-1, 6), shares.movedim(1, -1).reshape(-1, 3)
    places = train(f.train, shares, strength, 300)
    scaled = places.scaling(rows).double().numpy()
    weight = target.sum(1).double().numpy()
    peer = LogisticRegression(C=1 / (strength * weight.sum()), tol=1e-10, max_iter=5000)
    peer.fit(scaled, target.argmax(1).numpy(), sample_weight=weight)
    logits = places.logits(f.train).movedim(1, -1).reshape(-1, 3)
    ours, theirs = logits.softmax(1).numpy(), peer.predict_proba(scaled)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_the_score_is_scikit_learns_jaccard_index_of_the_pixels_that_count():
    f = given()
    places = train(f.train, shares_of(f.train_mask, 3, (4, 4)), 0.01, 50)
    named = torch.nn.functional.interpolate(places.logits(f.test), size=(12, 12), mode="bilinear").argmax(1)
    asked = f.test_mask != VOID
    expected = jaccard_score(f.test_mask[asked], named[asked], average=None)
    found = intersection_over_union(counted(places, f.test, f.test_mask).sum(0))
    assert found.tolist() == pytest.approx(expected.tolist())
    one = measure(Options(strengths=(0.01,), iterations=50), f).test
    assert one["miou"] == pytest.approx(expected.mean())
    assert [one[f"iou/{name}"] for name in NAMES] == pytest.approx(expected.tolist())
    assert one["pixel_accuracy"] == pytest.approx((f.test_mask[asked] == named[asked]).double().mean().item())


def test_a_cell_learns_the_shares_of_its_pixels_without_the_void():
    mask = torch.tensor([[0, 0, 1, VOID], [0, 2, VOID, VOID]], dtype=torch.uint8).repeat(2, 1).view(1, 4, 4)
    assert shares_of(mask, 3, (2, 2))[0, :, 0].T.tolist() == [[0.75, 0, 0.25], [0, 0.25, 0]]


def test_void_pixels_and_test_images_change_no_choice():
    f = given()
    moved = replace(f, test=f.test.flip(0), test_mask=f.test_mask.flip(1))
    one, other = measure(Options(), f), measure(Options(), moved)
    assert (one.chosen, one.holdout) == (other.chosen, other.holdout)
    assert one.test != other.test
    assert one.holdout["miou"] == max(value for name, value in one.holdout.items() if "/" in name)


def test_a_class_that_is_neither_there_nor_named_has_no_number():
    counts = torch.tensor([[4, 1, 0], [1, 2, 0], [0, 0, 0]])
    found = intersection_over_union(counts)
    assert found[:2].tolist() == pytest.approx([4 / 6, 2 / 4])
    assert found[2].isnan()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_mask": torch.full((10, 12, 12), 7, dtype=torch.uint8)}, "masks of test have class 7 of 3"),
        (
            {"train_mask": torch.full((20, 12, 12), VOID, dtype=torch.uint8)},
            "masks of train have no pixel with a class",
        ),
        ({"holdout": torch.empty(0, dtype=torch.int64)}, "4 strengths, but nothing is held out"),
        ({"test": torch.full((10, 6, 4, 4), torch.nan)}, "10 of 10 rows of test hold NaN"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes, message):
    with pytest.raises(InputError, match=rf"^evaluation\.segmentation: {message}"):
        measure(Options(), replace(given(), **changes))


STUDY = """
question: q
dataset: {{use: voc_segmentation, folder: {folder}, image_size: 24}}
encoder: {{use: vit, size: micro, patch: 4, position: sincos}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{{use: segmentation, strengths: [0.0001, 0.01]}}]
"""


def test_a_small_copy_of_voc_is_packed_and_bright_and_dark_are_told_apart(tmp_path):
    masked_voc(tmp_path)
    made = Made.of(STUDY.format(folder=tmp_path), tmp_path)
    said = json.loads((made.shards() / "record.json").read_text())
    assert (said["metrics"]["data/train"], said["metrics"]["data/test"]) == (24, 12)
    jobs = {job.spec.source.use: job for job in made.plan.of("evaluate")}
    made.run(jobs["pixels"], jobs["untrained"])
    pixels, untrained = made.record(jobs["pixels"]), made.record(jobs["untrained"])
    assert (pixels["derived"]["map/width"], untrained["derived"]["map/places"]) == (3, 36)
    for record in (pixels, untrained):
        assert {"test/iou/background", "test/iou/cat"} <= set(record["metrics"])
        assert record["metrics"]["test/pixel_accuracy"] > 0.75  # background alone is some 0.6
        assert record["metrics"]["test/iou/cat"] > 0.5
    with np.load(jobs["pixels"].folder(made.results) / "answers.npz", allow_pickle=False) as kept:
        assert len(set(kept["ids"].tolist())) == 12
    (compared,) = comparisons(results_of(made.plan.dump(), made.results, "plan"))
    estimate = next(cell.estimate for (row, _), cell in compared.cells.items() if row.origin == "pixels")
    assert (estimate.counts, estimate.mean) == ("images", pytest.approx(100 * pixels["metrics"]["test/miou"]))
    assert estimate.low < estimate.mean < estimate.high


def test_the_probe_is_refused_where_there_are_no_masks(tmp_path):
    (tmp_path / "x.yaml").write_text(
        STUDY.format(folder=tmp_path).replace(f"voc_segmentation, folder: {tmp_path}", "digits")
    )
    with pytest.raises(InputError, match=r"evaluation\[0\]: segmentation needs masks.*take voc_segmentation"):
        plan_file(tmp_path / "x.yaml")


def test_what_was_said_of_every_image_gives_the_score_again():
    found = measure(Options(strengths=(1e-3,)), given())
    right, named, truth = (found.answers[name].sum(0).astype(float) for name in ("right", "named", "truth"))
    with np.errstate(invalid="ignore"):
        each = right / (named + truth - right)
    assert np.nanmean(each) == pytest.approx(found.test["miou"])
    assert right.sum() / truth.sum() == pytest.approx(found.test["pixel_accuracy"])
    assert len(found.answers["right"]) == len(given().test)
