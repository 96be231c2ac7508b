"""The whole graph through Snakemake with the local profile: raw images to report, again, and after an edit."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snakemake_tools import ROOT, TINY, snakemake
from snakemake_tools import workplace as make_workplace

from pipelines.spec.row_name import RowName

RULES = ("shards", "tune", "tune_best", "pretrain", "evaluate", "report")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A working directory with a study of its own, run once."""
    folder = make_workplace(tmp_path_factory.mktemp("work"))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_the_report_and_the_tables_are_there(workplace):
    study = workplace / "results" / "tiny"
    page = (study / "report.html").read_text()
    assert "Does every stage run?" in page
    assert "moco_tuned" in page
    assert "missing" not in (study / "tables" / "results.md").read_text()
    rows = (study / "records.csv").read_text().splitlines()
    assert len(rows) == 1 + len(list((workplace / "results" / "jobs").glob("*/*/record.json")))


def test_no_log_of_a_finished_unit_is_empty_and_each_job_has_its_first_and_its_last_line(workplace):
    results = workplace / "results"
    logs = list((results / "logs").glob("*/*.log"))
    assert {path.parent.name for path in logs} == {"shards", "tune", "pretrain", "evaluate", "report"}
    assert not [path for path in logs if not path.read_text().strip()]
    for record in (results / "jobs").glob("*/*/record.json"):
        stage, key = record.parts[-3:-1]
        said = "".join(path.read_text() for path in logs if path.parent.name == stage)
        lines = [line for line in said.splitlines() if f" {stage} {key}: " in line]
        assert " starts" in lines[0]
        assert "written: " in lines[-1]
        assert lines[-1].endswith("record.json")


def test_mlflow_holds_every_encoder_once_with_all_that_was_measured_of_it(workplace):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{workplace / 'results' / 'mlflow.db'}")
    plan = json.loads(next((workplace / "results").glob("*/plan.json")).read_text())
    experiment = client.get_experiment_by_name(plan["study"])
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    levels = {level: [run for run in runs if run.data.tags["level"] == level] for level in ("seed", "row", "report")}
    assert all(run.info.status == "FINISHED" for found in levels.values() for run in found)
    pretrained = {job["key"] for job in plan["jobs"] if job["stage"] == "pretrain"}
    assert pretrained <= {run.data.tags["run_key"] for run in levels["seed"]}
    parts = (workplace / "results" / "mlartifacts").glob("*/*/artifacts/evaluations/**/*.json")
    assert len(list(parts)) == sum(job["stage"] == "evaluate" for job in plan["jobs"])
    names = [{field: job[field] for field in RowName.model_fields} for job in plan["jobs"] if job["stage"] != "shards"]
    assert {run.data.tags["method"] for run in levels["row"]} == {
        RowName.model_validate_json(json.dumps(name)).told for name in names
    }
    assert len(levels["report"]) == 1


def test_a_second_run_has_nothing_to_do(workplace):
    done = snakemake(workplace)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_snakemakes_own_report_holds_page_tables_and_figures_and_takes_none_away(workplace):
    study = workplace / "results" / "tiny"
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*") if path.is_file()}
    done = snakemake(workplace, "--report", "shown.html")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (workplace / "shown.html").read_text()
    for file in ("report.html", "results.csv", "tuning.csv", "training.svg"):
        assert f"results/tiny/{'' if 'report' in file else 'tables/' if 'csv' in file else 'figures/'}{file}" in text
    assert "Top-1 accuracy on the test split in percent" in text  # the caption of results
    assert before == {path: path.stat().st_mtime_ns for path in study.rglob("*") if path.is_file()}


def test_without_a_report_snakemakes_own_says_what_to_do(tmp_path):
    done = snakemake(make_workplace(tmp_path), "--report", "shown.html")
    assert done.returncode != 0
    assert "results/tiny has no report yet; run the same command without --report first" in done.stdout + done.stderr


def planned(workplace: Path) -> dict[str, int]:
    """Rule -> jobs that a dry run would start."""
    done = snakemake(workplace, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stdout + done.stderr
    counts: dict[str, int] = {}
    for line in (done.stdout + done.stderr).splitlines():
        *words, number = line.split() or [""]
        rule = "_".join(words)  # the rich logger writes "tune best"
        if number.isdigit() and rule not in ("total", "reproduce_all") and rule in RULES:
            counts[rule] = int(number)
    return counts


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("k: 5", "k: 6", {"evaluate": 3, "report": 1}),
        (
            "low: 0.05",
            "low: 0.06",
            {"tune": 2, "tune_best": 1, "pretrain": 1, "evaluate": 1, "report": 1},
        ),
        ("# As small", "# Edited: as small", {}),
    ],
)
def test_an_edit_reruns_only_what_depends_on_it(workplace, old, new, expected):
    study = workplace / "tiny.yaml"
    text = study.read_text()
    assert old in text
    try:
        study.write_text(text.replace(old, new))
        assert planned(workplace) == expected
    finally:
        study.write_text(text)


def test_a_broken_study_stops_before_anything_runs(workplace):
    study = workplace / "tiny.yaml"
    text = study.read_text()
    try:
        study.write_text(text.replace("queue_size", "queue_sise"))
        done = snakemake(workplace, "--dry-run")
    finally:
        study.write_text(text)
    assert done.returncode != 0
    assert "moco has no such option; did you mean 'queue_size'?" in done.stdout + done.stderr
    assert (workplace / "results" / "tiny" / "report.html").exists()


def test_claims_are_a_target_of_their_own(workplace):
    """The same jobs under a study that claims something: only its report is made."""
    (workplace / "claims").mkdir()
    claim = {"text": "Pixels are best.", "first": {"floor": "pixels"}, "second": "moco", "metric": "knn"}
    (workplace / "claims" / "pixels.yaml").write_text(f"{TINY.read_text()}\nclaims: {json.dumps([claim])}\n")
    done = snakemake(workplace, "--config", "claims=[claims]", target="reproduce_claims")
    assert done.returncode == 0, done.stderr
    assert "Pixels are best." in (workplace / "results" / "pixels" / "report.html").read_text()
    assert not list((workplace / "results" / "units").glob("*.json"))


def test_two_snakemakes_at_once_do_no_harm(workplace):
    """The second one is refused by the first one's lock and says so."""
    study = workplace / "tiny.yaml"
    text = study.read_text()
    try:
        study.write_text(text.replace("seeds: [0]", "seeds: [0, 1]"))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--profile",
            str(ROOT / "local"),
        ]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        first = subprocess.Popen(
            [*command, "--directory", str(workplace), "reproduce_all"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        locks = workplace / ".snakemake" / "locks"
        while not any(locks.glob("*")) and first.poll() is None:
            time.sleep(0.02)
        second = snakemake(workplace)
        output, _ = first.communicate(timeout=500)
        assert first.returncode == 0, output[-3000:]
        assert second.returncode != 0
        assert "lock" in (second.stdout + second.stderr).lower()
        assert snakemake(workplace).returncode == 0
    finally:
        study.write_text(text)
