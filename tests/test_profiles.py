"""The profiles: found by their literal names in a fresh checkout, and free of what loses data or hangs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.spec.workflow import read_config

ROOT = Path(__file__).parents[1]
PRINTED = """
print(f"longest_minutes: {config.get('longest_minutes')!r}")
"""
NAMES = ("local", "slurm", "workstation")
TOY = """
rule reproduce_all:
    default_target: True
    input: "one.txt"

rule one:
    output: "one.txt"
    resources: gpu=1
    shell: "touch {output}; : {resources.gpu} gpus"
"""


def profile(name: str) -> dict[str, object]:
    return yaml.safe_load((ROOT / name / "config.yaml").read_text())


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", *arguments]
    return subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "Snakefile").write_text(TOY)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_the_literal_command_finds_the_profile_and_every_key_is_known(toy: Path, name: str):
    run = snakemake(toy, "--dry-run", "--profile", name, "reproduce_all")
    assert run.returncode == 0, run.stderr
    assert f"Using profile {name}" in run.stderr


def test_the_local_profile_runs_a_gpu_job_where_there_is_none(toy: Path):
    run = snakemake(toy, "--profile", "local", "--printshellcmds", "reproduce_all")
    assert run.returncode == 0, run.stderr
    assert (toy / "one.txt").exists()


@pytest.mark.parametrize("name", NAMES)
def test_switching_conda_on_reruns_nothing_and_the_fast_scheduler_is_chosen(name: str):
    assert profile(name)["rerun-triggers"] == ["mtime", "params", "input", "code"]
    assert profile(name)["scheduler"] == "greedy"
    assert profile(name)["keep-going"] is True
    assert profile(name)["rerun-incomplete"] is True
    assert profile(name)["show-failed-logs"] is True


def test_no_profile_loads_by_itself():
    assert not [path for path in ROOT.glob("**/profiles/default") if ".venv" not in path.parts]


def test_status_checks_work_without_accounting_and_live_through_ten_minutes_of_outage():
    slurm = profile("slurm")
    assert slurm["slurm-status-command"] == "squeue"
    assert int(str(slurm["slurm-init-seconds-before-status-checks"])) * 3 <= 120  # else sacct on a shorter MinJobAge
    outage = int(str(slurm["slurm-status-attempts"])) / float(str(slurm["max-status-checks-per-second"]))
    assert outage >= 600


def test_the_slurm_profile_avoids_what_loses_data():
    assert not {"slurm-array-jobs", "groups", "group-components"} & set(profile("slurm"))
    assert profile("slurm")["retries"] == 1  # new submissions; `retries:` in a rule stays within the allocation
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    assert not [path for path in rules if "retries:" in path.read_text()]


def test_a_fresh_checkout_asks_for_no_account_and_no_partition():
    text = yaml.safe_dump([profile(name) for name in NAMES])
    assert "slurm_account" not in text
    assert "slurm_partition" not in text


@pytest.fixture
def filled_in(toy: Path) -> Path:
    """The Slurm profile as a cluster's person leaves it: what waits behind "# " is switched on."""
    path = toy / "slurm" / "config.yaml"
    path.write_text(re.sub(r"^# (?=  |[a-z-]+:$)", "", path.read_text(), flags=re.MULTILINE))
    (toy / "Snakefile").write_text(PRINTED + TOY.replace("rule one", "rule pretrain"))
    return toy


def test_what_waits_in_the_slurm_profile_is_a_profile_that_works(filled_in: Path):
    found = yaml.safe_load((filled_in / "slurm" / "config.yaml").read_text())
    assert found["default-resources"]["slurm_account"] == "my_project"
    assert {"pretrain", "tune", "evaluate"} == set(found["set-resources"])
    assert all("signal=TERM" in asked["slurm_extra"] for asked in found["set-resources"].values())
    assert read_config({"studies": "x.yaml", **found["config"]}).longest_minutes == 1440
    run = snakemake(filled_in, "--dry-run", "--profile", "slurm", "reproduce_all")
    assert run.returncode == 0, run.stderr
    assert "longest_minutes: 1440" in run.stdout + run.stderr


def test_a_config_on_the_command_line_replaces_that_of_the_profile(filled_in: Path):
    """As docs/cluster.md warns: the limit has to be given again."""
    run = snakemake(filled_in, "--dry-run", "--profile", "slurm", "reproduce_all", "--config", "studies=x.yaml")
    assert "longest_minutes: None" in run.stdout + run.stderr
