"""Trials whose features collapse: given up in the middle, so that the search's hours go to the others."""

import json
from pathlib import Path
from typing import Any

import pytest
from study_tools import Made

from pipelines.cli import main
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.plan import plan_file
from pipelines.spec.training import LEAST_SPREAD, CollapseStop
from pipelines.training import monitors

STUDY = """
question: Which temperature?
dataset: {use: digits, limit: 120}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr, dim: 8}]
seeds: [0]
training: {epochs: 6, batch_size: 16, monitor_steps: 1%s}
evaluation: [{use: knn, k: 5}]
tuning: {trials: 2, finalists: 1, repeats: 0, methods: [simclr], space: {temperature: {low: 0.1, high: 0.5}}%s}
"""


def stop_of(folder: Path, search: str = "", training: str = "") -> CollapseStop | None:
    (folder / "study.yaml").write_text(STUDY % (training, search))
    (job,) = plan_file(folder / "study.yaml").of("tune")
    assert isinstance(job.spec, TuneSpec)
    return job.spec.trial(0, {}).training.collapse_stop


def test_half_of_the_epochs_are_given_unless_the_study_says_otherwise(tmp_path: Path) -> None:
    assert stop_of(tmp_path) == CollapseStop(epoch=3, spread=LEAST_SPREAD)
    assert stop_of(tmp_path, ", give_up_collapsed: 0.9") == CollapseStop(epoch=6, spread=LEAST_SPREAD)
    assert stop_of(tmp_path, ", give_up_collapsed: null") is None
    own = stop_of(tmp_path, training=", collapse_stop: {epoch: 5, spread: 0.01}")
    assert own == CollapseStop(epoch=5, spread=0.01)


def test_a_collapsed_trial_ends_there_and_the_other_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made.of(STUDY % ("", ""), tmp_path)
    (job,) = made.plan.of("tune")
    read, readings = monitors.read, 0

    def first_trial_collapses(watched: dict[str, Any]) -> dict[str, float]:
        nonlocal readings
        readings += 1
        return {**read(watched), **({"collapse/spread": 0.01} if readings <= half else {})}

    half = 3 * (len(range(0, 120 - 12, 16)) - 1)  # a reading a step; incomplete batches are left out
    monkeypatch.setattr("pipelines.training.loop.monitors.read", first_trial_collapses)
    folder = job.folder(made.results)
    assert main(["tune", "--job", str(folder)]) == 0
    assert "stopped after epoch 3: the features collapsed, spread is 0.01" in capsys.readouterr().err
    trials = json.loads((folder / "trials.json").read_text())
    assert readings == 3 * half
    assert trials[0]["value"] == pytest.approx(0.1)
    assert json.loads((folder / "best.json").read_text())["slot"] == 1
