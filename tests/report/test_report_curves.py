"""Histories as curves."""

import json
from pathlib import Path

import pytest

from pipelines.report.curves import TRAINING, by_metric, thin
from pipelines.report.section import Chart
from pipelines.report.sections.training import NAMES, told


def test_last_reading_of_a_step_counts_and_half_a_line_does_not(tmp_path: Path) -> None:
    lines = [
        {"t": 1, "step": 0, "metrics": {"train/loss": 3.0, "x": "nan"}},
        {"t": 2, "step": 10, "metrics": {"train/loss": 2.0}},
        {"t": 3, "step": 10, "metrics": {"train/loss": 1.5}},
    ]
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"t":4,"step":20,"met')
    assert by_metric(path) == {"train/loss": {0: 3.0, 10: 1.5}}


def test_few_points_stay_as_they_are() -> None:
    points = [(0, 1.0), (5, 2.0)]
    assert thin(points, 2) == tuple(points)


def test_thinning_keeps_the_mean_of_steps_and_values() -> None:
    points = [(step, float(step**2)) for step in range(1000)]
    found = thin(points, 100)
    assert len(found) == 100
    assert found[0] == (4.5, pytest.approx(28.5))  # mean of 0..9, and of their squares 285 / 10
    assert sum(step for step, _ in found) / 100 == pytest.approx(499.5)


@pytest.mark.parametrize("length", [101, 150, 199, 999])
def test_thinning_leaves_no_reading_out(length: int) -> None:
    found = thin([(step, 1.0) for step in range(length)], 100)
    assert len(found) == 100
    assert all(value == 1.0 for _, value in found)
    assert found[0][0] < 100 * length / 100
    assert found[-1][0] >= length - 1 - length / 100


def test_the_caption_of_training_promises_what_is_drawn_and_no_more() -> None:
    caption = ("against the step.", "Of all.", "Of losses.", "Of kNN.")
    loss, knn = (Chart(f"digits · {words}", {}) for words in TRAINING.values())
    assert told(caption, [loss]) == ("Pretraining loss against the step.", "Of all.", "Of losses.")
    assert told(caption, [loss, knn])[0] == "Pretraining loss and online kNN accuracy against the step."
    assert told(caption, [loss, knn])[1:] == caption[1:]
    assert len(NAMES) == len(TRAINING)
