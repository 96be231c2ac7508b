"""The objective of tuning: online kNN of the held-out slice, in which held-out images are asked and never vote."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from source_tools import TOY, toy_source
from torch import Tensor

from pipelines import distributed
from pipelines.building.pretraining import by_all, online_knn
from pipelines.encoders.base import Encoder
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.training import Training
from pipelines.spec.views import Views

CLASSES = 3


class Pixels(Encoder):
    """The image itself as its feature: nothing is nearer to an image than that image."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        return [images]


def with_labels_shifted(folder: Path, shift: int) -> ShardSet:
    """The shards, in which every held-out image has another class: its own + shift, modulo three."""
    shards = open_shards(folder)
    table = shards.table("train")
    label = table.label.copy()
    label[shards.holdout] = (label[shards.holdout] + shift) % CLASSES
    shards.table = lambda split: replace(table, label=label)
    return shards


def test_labels_of_held_out_images_decide_nothing(tmp_path):
    """What is said of an image is the same whatever its label: over all its labels it is right exactly once."""
    build_shards(toy_source(60), TOY, tmp_path / "shards")
    right = 0.0
    for shift in range(CLASSES):
        shards = with_labels_shifted(tmp_path / "shards", shift)
        assert len(shards.holdout) == 15
        evaluate = online_knn(shards, Views(), Training(), torch.device("cpu"))
        right += evaluate(Pixels())["eval/online_knn"]
    assert right == pytest.approx(1)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_processes_share_the_images_and_all_have_every_feature(world, monkeypatch):
    """Seven images: shares of one size, whatever divides them."""
    rows, sizes = np.arange(7) * 3 + 1, set()

    def embed(some):
        sizes.add(len(some))
        return torch.from_numpy(some).float()[:, None]

    blocks = []
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    monkeypatch.setattr(distributed, "gather", lambda block: blocks.append(block) or block)
    for rank in range(world):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        by_all(rows, embed, torch.device("cpu"))
    monkeypatch.setattr(distributed, "gather", lambda block: torch.cat(blocks))
    assert by_all(rows, embed, torch.device("cpu"))[:, 0].tolist() == rows.tolist()
    assert sizes == {-(-7 // world)}
