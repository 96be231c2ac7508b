"""A plan tells of a process that no usual partition takes, with the way out, and is silent about small studies."""

import math
from pathlib import Path

import pytest
from report_tools import finish

from pipelines.cli import main
from pipelines.spec.longest import HOURS, longest
from pipelines.spec.plan import Plan, plan_file

ROOT = Path(__file__).parents[2]
STUDY = """
question: q
dataset: {{{data}, image_size: 224}}
encoder: {{use: resnet, depth: 50}}
methods: [{{use: simsiam}}, {{use: byol, label: slow}}]
seeds: [0, 1]
training: {{batch_size: 256, epochs: {epochs}}}
evaluation: [{{use: knn}}, {{use: linear}}]
floors: false
"""


def made(folder: Path, epochs: int, images: int | None = 100_000, more: str = "") -> Plan:
    path, told = folder / "x.yaml", f", expected_images: {images}" if images else ""
    data = f"use: imagefolder, name: mine, folder: {folder}{told}"
    path.write_text(STUDY.format(data=data, epochs=epochs) + more)
    return plan_file(path)


def test_the_longest_is_named_with_what_it_asks_and_the_ways_out(tmp_path):
    told = longest(made(tmp_path, 1000), tmp_path, {})
    hours = math.ceil(2 * 8 * 4.1 * 100_000 * 1000 / 20_000 / 60) / 60  # BYOL: forward and back, and a teacher, twice
    assert told.startswith(f"the longest process (pretrain slow) asks for {int(hours)} h ")
    assert "on one GPU" in told
    assert "longest_minutes" in told
    assert "gpus_per_job" in told
    assert "docs/cluster.md" in told


def test_a_study_whose_processes_fit_is_told_nothing(tmp_path):
    fits = math.floor(1000 * HOURS / (2 * 8 * 4.1 * 100_000 * 1000 / 20_000 / 3600))
    assert longest(made(tmp_path, fits - 1), tmp_path, {}) == ""
    assert longest(made(tmp_path, fits + 1), tmp_path, {}) != ""


def test_images_that_are_counted_and_not_packed_are_asked_by(tmp_path):
    plan = made(tmp_path, 1000, images=None)
    (shards,) = plan.of("shards")
    assert longest(plan, tmp_path, {shards.key: 100_000}) == longest(made(tmp_path, 1000), tmp_path, {}) != ""
    assert longest(plan, tmp_path, {shards.key: 500}) == ""


def test_what_is_done_is_not_told_of(tmp_path):
    plan = made(tmp_path, 1000)
    jobs = {job["key"]: job for job in plan.dump()["jobs"]}
    for job in plan.of("pretrain"):
        finish(tmp_path, jobs[job.key])
    assert longest(plan, tmp_path, {}) == ""


def test_a_search_is_not_told_of_gpus_that_it_does_not_take(tmp_path):
    tuning = "tuning: {trials: 8, methods: [slow], space: {training.lr_per_256: {low: 0.1, high: 0.2}}}\n"
    told = longest(made(tmp_path, 1000, more=tuning), tmp_path, {})
    assert told.startswith("the longest process (tune slow")
    assert "longest_minutes" in told
    assert "gpus_per_job" not in told


def test_what_does_not_run_in_pieces_is_told_of_a_partition_instead(tmp_path):
    told = longest(made(tmp_path, 1, images=20_000_000), tmp_path, {})
    assert told.startswith("the longest process (evaluate simsiam")
    assert "and 1 more" in told.split(")")[0]
    assert "set-resources" in told
    assert "longest_minutes" not in told


@pytest.mark.parametrize(("options", "lines"), [((), 1), (("--cost",), 1), (("--counts",), 0)])
def test_plan_prints_it_once_and_beside_bare_counts_not_at_all(tmp_path, capsys, options, lines):
    file = tmp_path / "x.yaml"
    file.write_text(STUDY.format(data="use: digits", epochs=70_000))
    assert main(["plan", str(file), "--results", str(tmp_path), *options]) == 0
    assert capsys.readouterr().out.count("# the longest process (pretrain slow) asks for") == lines


def test_the_quickstart_is_told_nothing_and_the_vision_transformers_of_imagenet_are(tmp_path):
    assert longest(plan_file(ROOT / "experiments" / "quickstart.yaml"), tmp_path, {}) == ""
    assert "pretrain mae" in longest(plan_file(ROOT / "experiments" / "imagenet1k_vit.yaml"), tmp_path, {})
