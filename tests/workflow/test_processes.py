"""A pretraining that is stopped goes on with another number of processes, by the command a user types; whole and in shares.

Nothing is drawn in this study (no crop, no colour, no queue), so that the curve has to be that of the undisturbed run.
"""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pretraining_tools import ENVIRONMENT, lines, stage

from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs

STUDY = """
question: Does the number of processes change a training?
dataset: {use: digits, limit: 160}
encoder: {use: vit, size: micro, patch: 4}
methods: [{use: simclr, dim: 16}]
seeds: [0]
training:
  {epochs: 8, batch_size: 32, optimizer: adamw, lr_per_256: 0.001, lr_scaling: none, weight_decay: 0.01,
   precision: float32, checkpoint_minutes: 90.0, monitor_steps: 1, shard_encoder: SHARD}
views: {scale: [1.0, 1.0], ratio: [1.0, 1.0], flip: 0.0, jitter_prob: 0.0, grayscale: 0.0, blur: 0.0}
evaluation: [{use: knn, k: 5}]
floors: false
"""


def planned(folder: Path, sharded: bool = False) -> tuple[Path, Path]:
    """The folders of the shards and of the pretraining, in a results folder of their own."""
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY.replace("SHARD", str(sharded).lower()))
    plan, results = plan_file(folder / "study.yaml"), folder / "results"
    write_specs(plan, results)
    return plan.of("shards")[0].folder(results), plan.of("pretrain")[0].folder(results)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, Path]:
    """The shards, and the pretraining done by one process from beginning to end."""
    shards, job = planned(tmp_path_factory.mktemp("processes") / "whole")
    subprocess.run(stage("shards", shards), env=ENVIRONMENT, check=True, timeout=200)
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=200)
    return shards, job


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize(("first", "then", "sharded"), [(2, 1, False), (1, 2, False), (2, 1, True), (1, 2, True)])
def test_it_goes_on_with_another_number_of_processes(undisturbed, tmp_path, first, then, sharded):
    shards, whole = undisturbed
    empty, job = planned(tmp_path / "study", sharded)
    assert job.name == whole.name  # how it runs is no part of its key
    empty.parent.joinpath("planned").mkdir()
    empty.rename(empty.parent / "planned" / empty.name)
    empty.symlink_to(shards)
    running = subprocess.Popen(stage("pretrain", job, first), env=ENVIRONMENT)
    until = time.monotonic() + 120
    while lines(job / "history.jsonl") < 6 and time.monotonic() < until:
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    assert running.wait(100) != 0
    assert (job / "checkpoint.pt").exists()
    assert not (job / "record.json").exists()
    subprocess.run(stage("pretrain", job, then), env=ENVIRONMENT, check=True, timeout=200)
    assert json.loads((job / "record.json").read_text())["derived"]["attempts"] == 2
    assert losses(job) == pytest.approx(losses(whole), rel=1e-3)


def losses(job: Path) -> dict[int, float]:
    rows = [json.loads(line) for line in (job / "history.jsonl").read_text().splitlines()]
    return {row["step"]: row["train/loss"] for row in rows if "train/loss" in row}
