"""Images and settings from which nothing can be learned: told, and in nobody else's way."""

from pathlib import Path

import numpy as np
import pytest
from source_tools import encoded

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.records import read_record
from pipelines.report.answer import answer
from pipelines.report.comparison import comparisons
from pipelines.report.study import load_results
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.layout import written_plan as plan_of
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.units import units
from pipelines.spec.writing import write_specs

COMMON = """
question: What can be learned from this?
encoder: {use: resnet, depth: 10, width: 4, stem: small}
seeds: [0]
training: {epochs: 1, batch_size: 16, lr_per_256: 0.1, precision: float32, monitor_steps: 1}
evaluation: [{use: knn, k: 5}, {use: linear, epochs: 2}]
floors: false
"""
BAD = """
dataset: {use: digits, limit: 40}
methods:
  - {use: simclr, label: bad, training: {lr_per_256: 1.0e+30, optimizer: sgd, warmup_epochs: 0}}
  - {use: simclr, label: good}
"""


def planned(folder: Path, text: str) -> tuple[Plan, Path]:
    (folder / "study.yaml").write_text(COMMON + text)
    plan, results = plan_file(folder / "study.yaml"), folder / "results"
    write_specs(plan, results)
    for job in plan.of("shards"):
        assert main(["shards", "--job", str(job.folder(results))]) == 0
    return plan, results


def test_a_loss_that_is_no_number_keeps_no_other_training_from_being_measured(tmp_path, capsys):
    plan, results = planned(tmp_path, BAD)
    label = {job.key: plan.names[job.place].label for job in plan.jobs.values()}
    (trained,) = (unit for unit in units(plan.jobs.values()) if unit.stage == "pretrain")
    (measured,) = (unit for unit in units(plan.jobs.values()) if unit.stage == "evaluate")
    assert len(trained.jobs) == 2
    assert main(trained.command(results).split()[3:]) == 0
    assert "the loss or its gradient is not a number at step" in capsys.readouterr().err
    assert {label[job.key]: job.done(results) for job in trained.jobs} == {"bad": False, "good": True}
    assert main(measured.command(results).split()[3:]) == 1
    assert "its input 'weights' is not finished; run: python -m pipelines pretrain --job" in capsys.readouterr().err
    assert {(label[job.key], job.done(results)) for job in measured.jobs} == {("bad", False), ("good", True)}
    alone = next(job for job in trained.jobs if label[job.key] == "bad").folder(results)
    assert main(["pretrain", "--job", str(alone)]) == 1
    assert not (alone / "record.json").exists()


def one_colour(folder: Path, classes: tuple[str, ...]) -> str:
    """Images of one grey in so many classes, and the lines of a study on them."""
    for split in ("train", "test"):
        for name in classes:
            inside = folder / "raw" / split / name
            inside.mkdir(parents=True)
            for number in range(16):
                (inside / f"{number}.png").write_bytes(encoded(np.full((8, 8, 3), 77, np.uint8)))
    data = f"dataset: {{use: imagefolder, name: dull, folder: {folder / 'raw'}, image_size: 8}}"
    return f"{data}\nmethods: [{{use: simclr}}]\n"


def test_images_of_one_colour_are_flagged_and_give_chance(tmp_path, capsys):
    plan, results = planned(tmp_path, one_colour(tmp_path, ("a", "b")))
    record = read_record(plan.of("shards")[0].folder(results))
    assert {"constant_channel:red", "test_images_in_train"} <= set(record.flags)
    assert "warning: 32 of 32 test images are in train too (test/a/0.png is train/" in capsys.readouterr().err
    for stage in ("pretrain", "evaluate"):
        assert main([stage, "--job", *(str(job.folder(results)) for job in plan.of(stage))]) == 0
    found = load_results(plan_of(results, "study"), results)
    assert {each.record.metrics["test/top1"] for each in found.of(EvaluateSpec)} == {0.5}
    assert answer(found, comparisons(found)).leaks == (
        "Of the 32 test images of dull 32 are in train too, so that every number on them is too high.",
    )


def test_labels_that_are_all_the_same_are_refused_before_anything_is_packed(tmp_path):
    with pytest.raises(InputError, match="dull has no labels, or one class only, and knn, linear would need more"):
        planned(tmp_path, one_colour(tmp_path, ("a",)))
