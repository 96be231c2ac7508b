"""What every protocol promises: walked through the folder, so that none goes untested."""

import pytest
import torch
from protocol_tools import CASES, NAMES, OPTIONS, PROTOCOLS, changed, features, measured, seeded

from pipelines.evaluation.measured import Measured


def test_every_protocol_of_the_folder_is_here():
    assert set(OPTIONS) == set(PROTOCOLS)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_random_test_labels_change_no_choice_and_no_prediction(name, options):
    f = features()
    wrong = f.test_label[torch.randperm(len(f.test_label), generator=seeded(7))]
    one, other = measured(name, options, f), measured(name, options, changed(f, test_label=wrong))
    assert (one.chosen, one.holdout, one.train) == (other.chosen, other.holdout, other.train)
    assert one.test != other.test
    if one.predicted is not None:
        assert torch.equal(one.predicted, other.predicted)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_other_test_rows_change_no_choice(name, options):
    f = features()
    other_rows = f.test.flip(0) + torch.randn(f.test.shape, generator=seeded(7))
    one, other = measured(name, options, f), measured(name, options, changed(f, test=other_rows))
    assert (one.chosen, one.holdout, one.train) == (other.chosen, other.holdout, other.train)
    assert one.test != other.test


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_accuracies_are_those_of_the_predictions(name, options):
    f = features()
    found = measured(name, options, f)
    assert isinstance(found, Measured)
    assert all(0 <= value <= 1 for value in found.test.values())
    assert 0.4 < next(iter(found.test.values())) < 1
    if found.predicted is None:
        assert name == "few_shot"
        return
    assert found.predicted.shape == f.test_label.shape
    assert found.predicted.dtype == torch.int64
    share = (found.predicted == f.test_label).double().mean().item()
    assert share == pytest.approx(next(iter(found.test.values())))  # top1, or the only K_shot


def test_few_shot_names_test_rows_once_or_not_at_all():
    found = [measured("few_shot", options, features()).predicted is not None for options in OPTIONS["few_shot"]]
    assert found == [False, True, False, False, False]


def test_names_in_a_record():
    found = Measured(test={"top1": 0.5}, train={"top1": 1.0}, holdout={"top1/lr_1": 0.4}, chosen={"lr": 1.0})
    assert found.metrics == {"test/top1": 0.5, "train/top1": 1.0, "holdout/top1/lr_1": 0.4}
    assert found.derived == {"chosen/lr": 1.0}
    assert set(measured("linear", OPTIONS["linear"][1], features()).metrics) == {
        "test/top1", "test/top5", "test/mean_per_class", "train/top1", "holdout/top1", "holdout/loss",
        "holdout/top1/lr_3_wd_0",
    }  # fmt: skip
    assert measured("linear", OPTIONS["linear"][1], features()).derived == {
        "chosen/lr": 3.0,
        "chosen/weight_decay": 0.0,
    }
