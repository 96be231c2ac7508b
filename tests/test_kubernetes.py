"""The example for Kubernetes: one pod whose command, profile and sizes are those that the project has."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.spec.resources import MOST_CORES
from pipelines.spec.workflow import TARGETS, WorkflowConfig

ROOT = Path(__file__).parents[1]
FILE = ROOT / "kubernetes" / "job.yaml"
TOY = """
rule reproduce_all:
    default_target: True
    input: "one.txt"

rule one:
    output: "one.txt"
    resources: gpu=4
    shell: "echo {resources.gpu} of 4 GPUs > {output}"
"""


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    job = yaml.safe_load(FILE.read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    return job["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return only


def lines(container: dict[str, Any]) -> list[list[str]]:
    """The words of each command of the script."""
    assert container["command"] == ["/bin/sh", "-c"]
    (script,) = container["args"]
    return [shlex.split(line) for line in script.split("&&")]


def test_the_last_command_takes_the_shells_place_and_gets_the_signal(container: dict[str, Any]):
    unlock, run = lines(container)
    assert unlock == ["snakemake", "--unlock", "reproduce_all"]
    assert run[:2] == ["exec", "snakemake"]
    assert run[-2:] == ["--", "reproduce_all"]  # options of several values would take the target for one of theirs
    assert set(run[-1:]) <= TARGETS


def test_it_runs_a_profile_that_is_here_and_sets_no_config_key_that_is_not(container: dict[str, Any]):
    run = lines(container)[-1]
    assert (ROOT / run[run.index("--profile") + 1] / "config.yaml").is_file()
    keys = [word.split("=")[0] for word in run[run.index("--config") + 1 :] if "=" in word] if "--config" in run else []
    assert set(keys) <= set(WorkflowConfig.model_fields)


def test_snakemake_gives_out_the_gpus_that_the_pod_has_and_each_has_its_cores(container: dict[str, Any]):
    run, asked = lines(container)[-1], container["resources"]
    assert asked["requests"] == asked["limits"]  # GPUs have to, and the rest is not taken away from the pod
    gpus = int(run[run.index("--resources") + 1].removeprefix("gpu="))
    assert gpus == asked["limits"]["nvidia.com/gpu"]
    assert int(asked["limits"]["cpu"]) >= gpus * MOST_CORES  # else a GPU idles while its job waits for cores


def test_the_command_runs_to_its_end_in_a_checkout(container: dict[str, Any], tmp_path: Path):
    shutil.copytree(ROOT / "workstation", tmp_path / "workstation")
    (tmp_path / "Snakefile").write_text(TOY)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        [*container["command"], *container["args"]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.txt").read_text() == "4 of 4 GPUs\n"


def test_loaders_have_more_shared_memory_than_a_pods_own_and_it_counts_within_the_pods(pod, container):
    memory = next(each["emptyDir"] for each in pod["volumes"] if each["name"] == "shm")
    assert memory["medium"] == "Memory"
    assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]
    room, whole = (
        int(size.removesuffix("Gi")) for size in (memory["sizeLimit"], container["resources"]["limits"]["memory"])
    )
    assert 1 <= room < whole


def test_the_checkout_lies_on_the_claim_and_every_mount_has_its_volume(pod, container):
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    (claim,) = (name for name, each in volumes.items() if "persistentVolumeClaim" in each)
    assert Path(container["workingDir"]).is_relative_to(mounts[claim])


def test_a_pod_that_was_evicted_starts_anew_and_has_time_to_save(pod: dict[str, Any]):
    job = yaml.safe_load(FILE.read_text())
    assert job["spec"]["backoffLimit"] > 0
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] >= 120  # torchrun waits so long for its processes


def test_the_image_is_to_be_filled_in_and_the_page_says_so(container: dict[str, Any]):
    assert container["image"] == "REGISTRY/ssl-pipelines:TAG"
    page = (ROOT / "docs" / "cluster.md").read_text()
    assert "$EDITOR kubernetes/job.yaml" in page
    assert "kubectl create -f kubernetes/job.yaml" in page
    assert FILE.read_text().startswith("# kubectl create -f kubernetes/job.yaml")
