"""Supervised training: cross entropy in closed form, the batch's accuracy, and data without labels."""

import math

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from torch import nn

from pipelines.errors import InputError
from pipelines.methods.base import DataFacts
from pipelines.methods.supervised import Supervised, build
from pipelines.spec.methods.supervised import Options

LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])


def method(**options: object) -> Supervised:
    return Supervised(Options(**options), LinearEncoder(4), nn.Identity())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_equal_scores_cost_the_logarithm_of_the_classes(smoothing):
    output = method(label_smoothing=smoothing).loss([torch.zeros(8, 4)], batch(8, LABELS), progress())
    assert output.loss.item() == pytest.approx(math.log(4))
    assert output.scalars["top1"].item() == pytest.approx(2 / 8)  # the first of equals is taken


def test_loss_and_accuracy_follow_the_labels():
    scores = 5 * F.one_hot(LABELS, 4).float()
    right = method().loss([scores], batch(8, LABELS), progress())
    wrong = method().loss([scores], batch(8, LABELS.roll(1)), progress())
    assert (right.scalars["top1"].item(), wrong.scalars["top1"].item()) == (1, 0)
    assert wrong.loss.item() - right.loss.item() == pytest.approx(5)
    torch.testing.assert_close(right.watched["embeddings"], F.normalize(scores, dim=1))


def test_a_sample_without_label_is_refused_when_training_starts():
    missing = LABELS.clone()
    missing[3] = -1
    with pytest.raises(InputError, match=r"1 of 8 images of a batch have no label.*unlabelled: false"):
        method().loss([torch.zeros(8, 4)], batch(8, missing), progress(epoch=0.9))


@pytest.mark.parametrize("classes", [0, 1])
def test_a_data_set_without_classes_is_refused_before_training(classes):
    with pytest.raises(InputError, match=f"has {classes} classes"):
        build(Options(), lambda in_channels=3: LinearEncoder(4), DataFacts(10, classes, 16))


def test_small_images_are_moved_and_large_ones_cropped():
    (tiny,), (large,) = (Options().default_views(side).kinds for side in (32, 224))
    assert (tiny.translate, tiny.scale) == (4, (1.0, 1.0))
    assert (large.translate, large.scale) == (0, (0.08, 1.0))
