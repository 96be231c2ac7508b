"""Counts of scores: against NumPy's histogram, the same after a resume, and of both sides of feature transformation."""

import numpy as np
import pytest
import torch
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.histograms import BINS, FILE, ROWS, Histograms
from pipelines.training.loop import Stopped
from pipelines.training.score_counts import count, counted, histogram


def test_bins_are_those_of_numpy():
    scores = torch.rand(50, 70, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected, _ = np.histogram(scores.numpy(), bins=BINS, range=(-1, 1))
    assert histogram(scores).tolist() == expected.tolist()


def test_what_lies_beyond_counts_at_the_ends_and_what_is_no_number_nowhere():
    found = histogram(torch.tensor([-9.0, -1.0, 1.0, 3.0, float("inf"), float("nan")]))
    assert (found[0], found[-1], found.sum()) == (2, 3, 5)


def test_a_reading_counts_in_the_row_of_its_step():
    counts: dict[str, torch.Tensor] = {}
    for step in (0, 9, 10, 319):
        count(counts, {"positive_scores": torch.zeros(3), "embeddings": torch.ones(2, 2)}, step, 10 * ROWS)
    found = counted(counts, 10 * ROWS)
    assert found.rows == (0, 1, ROWS - 1)
    assert [row[BINS // 2] for row in found.counts["positive"]] == [6, 3, 3]
    assert counted({}, 5) is None


@pytest.mark.parametrize("name", ["moco", "simclr", "instdisc", "pirl", "cmc"])
def test_feature_transformation_is_counted_before_and_after(name):
    given = {"loss": "info_nce"} if name in ("instdisc", "pirl", "cmc") else {}
    found = small_trainer(small_options(name, feature_transform={"start_epoch": 1}, **given)).fit()
    sides = {f"{before}{side}" for before in ("", "untransformed_") for side in ("positive", "negative")}
    assert set(found.histograms.counts) == sides
    totals = {side: [sum(row) for row in rows] for side, rows in found.histograms.counts.items()}
    assert all(totals["positive"])
    assert totals["untransformed_positive"] == [0] * 3 + totals["positive"][3:]  # it begins with the second epoch
    names = {f"final/scores/{side}_{what}" for side in sides for what in ("mean", "variance")}
    assert names <= set(found.metrics)


def test_scores_before_transformation_are_those_of_a_method_without_it():
    readings = [
        small_trainer(small_options("moco", **given), epochs=1).fit() for given in ({}, {"feature_transform": {}})
    ]
    plain, before = (found.histograms.counts for found in readings)
    assert before["untransformed_negative"][0] == plain["negative"][0]  # of the first step: no update lies before it
    assert before["negative"][0] != plain["negative"][0]


def test_a_resumed_training_has_the_same_counts(tmp_path):
    whole = small_trainer(small_options("moco"), tmp_path / "whole").fit().histograms
    calls = iter([False] * 3 + [True] * 100)
    with pytest.raises(Stopped):
        small_trainer(small_options("moco"), tmp_path / "stopped", stop=lambda: next(calls)).fit()
    resumed = small_trainer(small_options("moco"), tmp_path / "stopped").fit().histograms
    for found, place in ((whole, "whole"), (resumed, "stopped")):
        found.save(tmp_path / place / FILE)
    assert (tmp_path / "whole" / FILE).read_bytes() == (tmp_path / "stopped" / FILE).read_bytes()
    assert Histograms.load(tmp_path / "whole" / FILE) == whole


def test_counting_changes_no_weight():
    trainers = [small_trainer(small_options("moco", feature_transform={}), use_monitors=use) for use in (True, False)]
    found = [trainer.fit() for trainer in trainers]
    assert equal(*(weights(trainer.method) for trainer in trainers))
    assert found[0].histograms
    assert found[1].histograms is None


def test_a_method_without_scores_has_no_histograms():
    assert small_trainer(small_options("mae")).fit().histograms is None
