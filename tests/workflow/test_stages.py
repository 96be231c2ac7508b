"""Stages by hand, as the lines that plan prints: every one runs, faults included."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.cli import STAGES
from pipelines.files import sha256_file
from pipelines.spec.jobs import Trained
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.units import units
from pipelines.spec.writing import write_spec, write_specs

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parent / "tiny.yaml"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, **options)


def ran(*arguments: object) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Plan, Path]:
    """The tiny study, planned and written, with its shards."""
    results = tmp_path_factory.mktemp("results")
    plan = plan_file(TINY)
    write_specs(plan, results)
    ran("shards", "--job", plan.of("shards")[0].folder(results))
    return plan, results


def pretraining(made) -> Path:
    plan, results = made
    return next(job for job in plan.of("pretrain") if "best" not in job.inputs).folder(results)


def copied(made, folder: Path, stage: str, job: Path) -> Path:
    """A fresh results folder that holds the finished shards and one job's spec."""
    _, results = made
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs" / "shards").symlink_to(results / "jobs" / "shards")
    target = folder / "jobs" / stage / job.name
    target.mkdir(parents=True)
    (target / "spec.json").write_text((job / "spec.json").read_text())
    return target


HELP = """
import runpy, sys
sys.argv = ["pipelines", sys.argv[1], "--help"]
try:
    runpy.run_module("pipelines", run_name="__main__")
except SystemExit:
    pass
print([name for name in ("torch", "numpy", "pandas", "pydantic") if name in sys.modules])
"""


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_help_loads_nothing_heavy(stage):
    command = [sys.executable, "-c", HELP, stage]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout


def test_what_trains_and_measures_loads_no_library_that_only_some_jobs_need():
    """A process of a small job works for seconds; torchvision alone, which loads torch's compiler, costs two more."""
    code = "import sys, pipelines.stages.pretrain, pipelines.stages.evaluate, pipelines.stages.shards\n"
    code += "print(sorted({'torchvision', 'torchmetrics', 'timm', 'sklearn', 'mlflow', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_plan_prints_every_job_with_its_command(made):
    plan, results = made
    printed = ran("plan", TINY, "--results", results)
    for job in plan.jobs.values():
        assert f"{job.folder(results)}" in printed
    commands = [line.strip() for line in printed.splitlines() if line.startswith(" ")]
    assert commands == [unit.command(results) for unit in units(plan.jobs.values())]
    assert all(command.startswith("python -m pipelines ") for command in commands)
    assert "# shards: 1 job, 1 done" in printed


def test_a_stage_says_which_input_is_missing_and_how_to_make_it(made):
    plan, results = made
    done = run(
        "evaluate",
        "--job",
        next(job for job in plan.of("evaluate") if isinstance(job.spec.source, Trained)).folder(results),
    )
    assert done.returncode == 1
    assert "its input 'weights' is not finished; run: python -m pipelines pretrain --job" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_of_another_stage_is_refused(made):
    done = run("evaluate", "--job", pretraining(made))
    assert done.returncode == 1
    assert "run: python -m pipelines pretrain" in done.stderr


def test_kill_9_in_mid_training_then_the_same_weights_as_undisturbed(made, tmp_path):
    job = pretraining(made)
    whole, broken = (copied(made, tmp_path / name, "pretrain", job) for name in ("whole", "broken"))
    ran("pretrain", "--job", whole)
    process = subprocess.Popen([sys.executable, "-m", "pipelines", "pretrain", "--job", str(broken)], env=ENVIRONMENT)
    deadline = time.monotonic() + 200
    while not (broken / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (broken / "checkpoint.pt").exists()
    assert not (broken / "record.json").exists()
    ran("pretrain", "--job", broken)
    assert sha256_file(broken / "encoder.safetensors") == sha256_file(whole / "encoder.safetensors")
    steps = [json.loads(line)["step"] for line in (broken / "history.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == list(range(steps[-1] + 1))


def test_sigterm_saves_and_exits_so_that_a_scheduler_tries_again(made, tmp_path):
    long = TINY.read_text().replace("epochs: 2,", "epochs: 500,").replace("minutes: 0.0", "minutes: 100.0")
    (tmp_path / "long.yaml").write_text(long)
    job = next(job for job in plan_file(tmp_path / "long.yaml").of("pretrain") if "best" not in job.inputs)
    write_spec(job, tmp_path)
    target = job.folder(tmp_path)
    (tmp_path / "jobs" / "shards").symlink_to(made[1] / "jobs" / "shards")
    process = subprocess.Popen([sys.executable, "-m", "pipelines", "pretrain", "--job", str(target)], env=ENVIRONMENT)
    history = target / "history.jsonl"
    while not (history.exists() and history.stat().st_size) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert (target / "checkpoint.pt").exists()


def test_workers_that_are_killed_leave_exactly_the_trials_asked_for(made, tmp_path):
    plan, results = made
    target = copied(made, tmp_path, "tune", plan.of("tune")[0].folder(results))
    command = [sys.executable, "-m", "pipelines", "tune", "--job", str(target), "--of", "2", "--worker"]
    first = subprocess.Popen([*command, "0"], env=ENVIRONMENT)
    journal = target / "journal.log"
    while not (journal.exists() and '"slot"' in journal.read_text()) and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    with journal.open("a") as file:
        file.write('{"op_code": 4, "half a li')  # what a kill in mid-write leaves
    again = [subprocess.Popen([*command, str(worker)], env=ENVIRONMENT) for worker in (0, 1)]
    assert [process.wait(timeout=200) for process in again] == [0, 0]
    ran("tune", "--job", target, "--close")
    trials = json.loads((target / "trials.json").read_text())
    search = plan.of("tune")[0].spec.search
    assert [trial["slot"] for trial in trials] == list(range(search.trials * (1 + search.repeats)))  # all are finalists
    best = json.loads((target / "best.json").read_text())
    assert best["value"] == trials[best["slot"]]["value"]
    assert 0.05 <= best["params"]["temperature"] <= 0.5


def test_closing_a_study_without_its_trials_fails_with_the_way_out(made, tmp_path):
    plan, results = made
    target = copied(made, tmp_path, "tune", plan.of("tune")[0].folder(results))
    done = run("tune", "--job", target, "--close")
    assert done.returncode == 1
    assert "slot 0 has no finished trial, there must be one for each" in done.stderr
