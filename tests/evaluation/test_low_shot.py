"""Few labels: which images are listed, that nothing else is learnt from, and that fine-tuning takes the same list."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from protocol_tools import changed, features, seeded

from pipelines.errors import InputError
from pipelines.evaluation import choosing, low_shot
from pipelines.evaluation.finetune import labelled_rows
from pipelines.evaluation.labelled import evaluation_seed, few_labels
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.finetune import Options as FineTune
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.low_shot import Options as LowShot

LABEL = np.repeat(np.arange(4), [40, 20, 10, 3])


@pytest.mark.parametrize(
    ("amount", "counts"), [(0.1, [4, 2, 1, 1]), (0.01, [1, 1, 1, 1]), (2, [2, 2, 2, 2]), (10, [10, 10, 10, 3])]
)
def test_every_class_gives_its_share_or_its_number(amount, counts):
    assert np.bincount(LABEL[few_labels(LABEL, 4, amount, 0)]).tolist() == counts


def test_lists_follow_from_the_seed_and_lie_within_each_other():
    small, large = (few_labels(LABEL, 4, amount, 7) for amount in (0.1, 0.5))
    assert set(small) < set(large)
    assert np.array_equal(small, few_labels(LABEL, 4, 0.1, 7))
    assert not np.array_equal(small, few_labels(LABEL, 4, 0.1, 8))


def test_rows_without_a_label_change_no_list():
    """Features leave such images out, fine-tuning does not: both have to list the same images."""
    wide = np.concatenate([[-1, -1], LABEL, [-1]])
    assert np.array_equal(few_labels(wide, 4, 0.2, 3) - 2, few_labels(LABEL, 4, 0.2, 3))


def test_frozen_and_fine_tuned_learn_from_the_same_images(monkeypatch):
    f, seen = features(), []
    honest = low_shot.train

    def noted(*given):
        seen.append(given[-1])
        return honest(*given)

    monkeypatch.setattr(low_shot, "train", noted)
    draw = torch.Generator().manual_seed(evaluation_seed(5))
    low_shot.measure(LowShot(labels=(0.1,), probe=Linear(least_steps=5, epochs=1)), f, draw)
    bench = SimpleNamespace(train_label=f.train_label.numpy(), num_classes=4, seed=5)
    assert seen[0].tolist() == labelled_rows(bench, FineTune(label_share=0.1).amount).tolist()


@pytest.mark.parametrize("enough", [500, 10])
def test_listed_rows_never_judge(enough, monkeypatch):
    """Labels of the list are turned: rows that were fitted would then be called what they were taught, and score 1."""
    monkeypatch.setattr(choosing, "ENOUGH", enough)
    f = features()
    options = LowShot(labels=(8,), probe=Linear(least_steps=300, epochs=1, lrs=(3.0, 10.0)))
    listed = torch.from_numpy(few_labels(f.train_label.numpy(), 4, 8, seeded().initial_seed()))
    turned = f.train_label.clone()
    turned[listed] = (turned[listed] + 1) % 4
    monkeypatch.setattr(low_shot, "few_labels", lambda *_: listed.numpy())
    found = low_shot.measure(options, changed(f, train_label=turned), seeded())
    assert found.holdout["8_a_class"] < 0.2
    assert found.chosen["8_a_class_labels"] == 32


def test_more_labels_than_there_are(monkeypatch):
    with pytest.raises(InputError, match=r"low_shot\.labels: 41 images a class asked for, but class 0 has 40 in train"):
        low_shot.measure(LowShot(labels=(41,)), features(), seeded())
    with pytest.raises(InputError, match="40 images a class are all of train, and none is left to choose on"):
        low_shot.measure(LowShot(labels=(40,)), features(), seeded())
    counts = Counts((40, 20, 10, 3), (4, 2, 1, 0), (9, 9, 9, 9), ("a", "b", "c", "d"))
    with pytest.raises(
        InputError, match=r"finetune\.labels_per_class: 5 images asked for, but class 3 \(d\) has 3 in train"
    ):
        FineTune(labels_per_class=5).check_counts(counts)
    FineTune(labels_per_class=3).check_counts(counts)


@pytest.mark.parametrize("labels", [(), (0.0,), (1.0,), (0,), (0.1, 0.1), 0.1])
def test_amounts_without_a_meaning_are_refused(labels):
    with pytest.raises(ValueError, match="different shares between 0 and 1 or whole numbers"):
        LowShot(labels=labels)


def test_numbers_are_told_by_their_amounts():
    assert LowShot(labels=(0.01, 0.125, 5)).numbers == ("1_percent", "12.5_percent", "5_a_class")
    with pytest.raises(ValueError, match="both say how many"):
        FineTune(label_share=0.1, labels_per_class=3)
