"""What evaluation reads: every image whole and as it is, and the held-out ones where the features say they are."""

import numpy as np
import pytest
import torch
from source_tools import TOY, noise
from torch import Tensor

from pipelines.building.features import EvaluatedEncoder as Embedded
from pipelines.building.features import embedded
from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.sources.arrays import resident
from pipelines.sources.base import Source, array_split
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.views import Augmentation, Views

CPU = torch.device("cpu")
STRONG = Views(augmentations=(Augmentation(scale=(0.1, 0.3), flip=1.0, jitter_prob=1.0, grayscale=1.0, blur=1.0),))


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> ShardSet:
    """Noise of three classes, in which every third training image has no label."""
    label = np.arange(40) % 3
    label[::3] = -1
    source = Source(
        ("a", "b", "c"),
        train=array_split("train", noise(40, 6, 6, 3), label),
        test=array_split("test", noise(7, 6, 6, 3, seed=1), np.arange(7) % 3),
    )
    folder = tmp_path_factory.mktemp("some") / "shards"
    build_shards(source, TOY, folder)
    return open_shards(folder)


def normalised(shards: ShardSet, split: str) -> Tensor:
    """(N, 3, S, S): all images of a split, decoded and normalised, nothing else."""
    images = torch.from_numpy(np.array(resident(shards, split).images)) / 255
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (shards.index.mean, shards.index.std))
    return (images - mean) / std


@pytest.mark.parametrize("recipe", [Views(), STRONG], ids=["plain", "strong"])
def test_evaluation_sees_each_image_whole_unflipped_and_unchanged_whatever_was_trained_on(shards, recipe):
    data = loader(shards, "test", in_order(), CPU)
    for _ in range(2):
        seen = torch.cat(list(plain_views(data, Wanted.of(shards, recipe), CPU)))
        torch.testing.assert_close(seen, normalised(shards, "test"), rtol=1e-4, atol=1e-4)


def test_held_out_rows_are_the_held_out_images_though_others_have_no_label(shards):
    label = shards.table("train").label
    expected = shards.holdout[label[shards.holdout] >= 0]
    assert 0 < len(expected) < len(shards.holdout)
    found = embedded(Embedded(None, Wanted.of(shards)), shards, CPU)
    assert found.train_label[found.holdout].tolist() == label[expected].tolist()
    torch.testing.assert_close(
        found.train[found.holdout], normalised(shards, "train")[expected].flatten(1), rtol=1e-4, atol=1e-4
    )
