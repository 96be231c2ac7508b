"""What every protocol promises: walked through the folder, so that none goes untested."""

import math
from typing import Any

import pytest
import torch
from protocol_tools import CASES, NAMES, OPTIONS, PROTOCOLS, changed, features, measured, seeded, suited

from pipelines.errors import InputError
from pipelines.evaluation import choosing, diagnostics
from pipelines.evaluation.features import Features
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.low_shot import Options as LowShot


@pytest.fixture(params=[choosing.ENOUGH, 10], ids=["small slice", "large slice"])
def either_way(request, monkeypatch):
    """The held-out slice of 32 rows is too small to choose alone, or is taken to be enough."""
    monkeypatch.setattr(choosing, "ENOUGH", request.param)


def test_every_protocol_of_the_folder_is_here():
    assert set(OPTIONS) == set(PROTOCOLS)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_random_test_labels_change_no_choice_and_no_prediction(name, options, either_way):
    f = features()
    wrong = f.test_label[torch.randperm(len(f.test_label), generator=seeded(7))]
    one, other = measured(name, options, f), measured(name, options, changed(f, test_label=wrong))
    assert (one.chosen, one.holdout, one.train) == (other.chosen, other.holdout, other.train)
    assert one.test != other.test
    if one.predicted is not None:
        assert torch.equal(one.predicted, other.predicted)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_other_test_rows_change_no_choice(name, options, either_way):
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
        assert name in ("few_shot", "low_shot") or options.leave_one_out
        return
    assert found.predicted.shape == f.test_label.shape
    assert found.predicted.dtype == torch.int64
    share = (found.predicted == f.test_label).double().mean().item()
    assert share == pytest.approx(next(iter(found.test.values())))  # top1, or the only K_shot
    if found.score is None:
        assert name == "few_shot"  # a class mean, or scikit-learn's class alone
        return
    assert found.score.shape == f.test_label.shape
    assert 1 / f.num_classes <= found.score.min() < found.score.max() <= 1  # the named class has the largest share


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


def without(f: Features, split: str, *numbers: int) -> Features:
    """Less all rows of these classes in a split; the held-out slice stays the same rows."""
    label = getattr(f, f"{split}_label")
    kept = ~torch.isin(label, torch.tensor(numbers))
    changes: dict[str, Any] = {split: getattr(f, split)[kept], f"{split}_label": label[kept]}
    if split == "train":
        changes["holdout"] = (kept.cumsum(0) - 1)[f.holdout[kept[f.holdout]]]
    return changed(f, **changes)


def broken(f: Features, split: str, value: float) -> Features:
    rows = getattr(f, split).clone()
    rows[3, 2] = value
    return changed(f, **{split: rows})


BAD = {
    "test of one class": (lambda f: without(f, "test", 0, 1, 3), "test has images of class 2 alone"),
    "NaN in test": (lambda f: broken(f, "test", torch.nan), "1 of 80 rows of test hold NaN or infinity"),
    "infinity in test": (lambda f: broken(f, "test", -torch.inf), "1 of 80 rows of test hold NaN or infinity"),
    "no test": (lambda f: without(f, "test", 0, 1, 2, 3), "test has images of no class"),
}
BAD_TRAIN = {
    "train of one class": (lambda f: without(f, "train", 0, 1, 3), "train has images of class 2 alone"),
    "NaN in train": (lambda f: broken(f, "train", torch.nan), "1 of 160 rows of train hold NaN or infinity"),
    "one class in all": (
        lambda f: changed(f, train_label=f.train_label * 0, test_label=f.test_label * 0, num_classes=1),
        "train has images of class 0 alone",
    ),
}
EVERY = [(*case, *bad) for case in CASES for bad in BAD.values()]
EVERY += [(*case, *bad) for case in CASES if case[0] != "zero_shot" for bad in BAD_TRAIN.values()]
EVERY_NAME = [f"{name}-{bad}" for name in NAMES for bad in BAD]
EVERY_NAME += [f"{name}-{bad}" for name in NAMES if not name.startswith("zero_shot") for bad in BAD_TRAIN]


@pytest.mark.parametrize(("name", "options", "spoil", "message"), EVERY, ids=EVERY_NAME)
def test_what_has_no_meaning_is_refused_by_the_protocols_name(name, options, spoil, message):
    given = spoil(features())
    if name == "zero_shot":
        given = suited(name, changed(given, train=features().train, train_label=features().train_label))
    with pytest.raises(InputError, match=rf"^evaluation\.{name}: {message}[^\n]*$"):
        measured(name, options, given)
    with pytest.raises(InputError, match=message):
        PROTOCOLS[name].check(options, given)


def test_texts_have_to_be_finite_too():
    given = suited("zero_shot", features())
    given.text[1] = torch.nan
    with pytest.raises(InputError, match=r"^evaluation\.zero_shot: 1 of 4 rows of the class names hold NaN"):
        measured("zero_shot", OPTIONS["zero_shot"][0], given)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
@pytest.mark.parametrize("odd", ["test lacks a class", "train lacks a class", "one row of a class"])
def test_what_can_be_measured_is_measured(name, options, odd, either_way):
    """A class that a split lacks, or that has one row: every number is finite, or the protocol says what it needs."""
    f = features()
    given = {
        "test lacks a class": lambda: without(f, "test", 3),
        "train lacks a class": lambda: without(f, "train", 1),
        "one row of a class": lambda: thinned(f, 2),
    }[odd]()
    if name == "zero_shot":
        given = suited(name, changed(given, train=f.train, train_label=f.train_label))
    asked = max(
        getattr(options, "shots", None) or [each for each in getattr(options, "labels", ()) if each >= 1] or [0]
    )
    if (
        odd != "test lacks a class"
        and name in ("few_shot", "low_shot")
        and asked
        and not getattr(options, "ways", None)
    ):
        with pytest.raises(InputError, match=rf"^evaluation\.{name}\.(shots|labels): {asked} images a class asked for"):
            measured(name, options, given)
        return
    assert measured(name, options, given).test
    assert all(map(math.isfinite, measured(name, options, given).metrics.values()))


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_splits_without_a_common_class_are_refused_where_only_train_can_name(name, options):
    """Train has classes 0 and 1, test 2 and 3."""
    given = without(without(features(), "train", 2, 3), "test", 0, 1)
    if getattr(options, "ways", None):  # its episodes lie in test, of as many classes as are there
        options = options.model_copy(update={"ways": 2})
    elif name != "zero_shot" and not getattr(options, "leave_one_out", False):
        with pytest.raises(
            InputError, match=rf"^evaluation\.{name}: no class of test .* train has class 0, test class 2"
        ):
            measured(name, options, given)
        return
    else:
        given = given if name == "knn" else suited(name, without(features(), "test", 0, 1))
    assert next(iter(measured(name, options, given).test.values())) > 0.4


def thinned(f: Features, *numbers: int) -> Features:
    """These classes with their last row of train alone."""
    last = [int((f.train_label == number).nonzero()[-1]) for number in numbers]
    kept = ~torch.isin(f.train_label, torch.tensor(numbers))
    kept[last] = True
    holdout = (kept.cumsum(0) - 1)[f.holdout[kept[f.holdout]]]
    return changed(f, train=f.train[kept], train_label=f.train_label[kept], holdout=holdout)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("knn", Knn(k=1)),
        ("linear", Linear(least_steps=5, epochs=1, lrs=(3.0,))),
        ("few_shot", FewShot(shots=(1,), draws=2, classifier="centroid")),
        ("few_shot", FewShot(shots=(1,), draws=2, strengths=(1.0,))),
        ("low_shot", LowShot(labels=(0.01, 0.5, 1), probe=Linear(least_steps=5, epochs=1, lrs=(3.0,)))),
    ],
)
def test_one_row_of_each_class_is_enough_where_nothing_is_chosen(name, options):
    given = thinned(changed(features(), holdout=torch.empty(0, dtype=torch.int64)), 0, 1, 2, 3)
    found = measured(name, options, given)
    assert all(map(math.isfinite, (*found.metrics.values(), *diagnostics.diagnose(given).values())))


def test_of_all_of_train_nothing_is_left_to_choose_on():
    given = changed(thinned(features(), 0, 1, 2, 3), holdout=torch.tensor([0]))
    with pytest.raises(InputError, match=r"low_shot\.labels: a share of 0\.01 is all of train, and none is left"):
        measured("low_shot", LowShot(labels=(0.01,)), given)


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_without_a_held_out_slice_only_what_chooses_is_refused(name, options):
    bare = changed(features(), holdout=torch.empty(0, dtype=torch.int64))
    probe = getattr(options, "probe", options)
    candidates = len(probe.lrs) if isinstance(probe, Linear) else len(getattr(options, "strengths", None) or ())
    if candidates > 1:
        with pytest.raises(InputError, match=rf"^evaluation\.{name}: \d .* nothing is held out to choose on; set"):
            measured(name, options, bare)
    else:
        assert not measured(name, options, bare).holdout


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("knn", Knn(k=161), r"knn\.k: 161 neighbours asked for, but only 160 images vote"),
        ("knn", Knn(k=(5, 161)), r"knn\.k: 161 neighbours"),
        (
            "few_shot",
            FewShot(shots=(1, 33)),
            r"few_shot\.shots: 33 images a class asked for, but class 0 has 32 in train",
        ),
        ("few_shot", FewShot(ways=5), r"few_shot\.ways: 5 classes asked for, but only 0 of 4 have the 31 test images"),
    ],
)
def test_fewer_rows_than_asked_for_are_refused(name, options, message):
    with pytest.raises(InputError, match=rf"^evaluation\.{message}"):
        measured(name, options, features())


def test_a_class_whose_rows_are_all_held_out_has_no_shots():
    f = features()
    with pytest.raises(InputError, match="1 images a class asked for, but class 2 has 0 in train outside"):
        measured("few_shot", FewShot(shots=(1,)), changed(f, holdout=(f.train_label == 2).nonzero().squeeze(1)))
