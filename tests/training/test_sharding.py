"""Sharded encoders (FSDP2): two processes train as whole networks do; what cannot be sharded is refused by the plan."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sharding_ranks import vit_trainer
from trainer_tools import equal, weights

from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.training import Training
from pipelines.training import checkpoint

ROOT = Path(__file__).parents[2]
METHODS = ["mae", "dino", "moco_v3"]
"""Patches left out through ``tokens``; a teacher with clipped gradients and crops of two sizes; a target that moves first."""


@pytest.fixture(scope="module")
def in_two(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder of checkpoints, and for each method what went wrong with it in two processes."""
    out = tmp_path_factory.mktemp("sharded")
    for name in METHODS:
        (out / name).mkdir()
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
    launch += ["--rdzv-endpoint=localhost:0", str(ROOT / "tests" / "sharding_ranks.py"), str(out), *METHODS]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "view tensor" not in ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return out, {row["name"]: row["problem"] for row in rows}


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("name", METHODS)
def test_two_processes_train_in_shares_as_with_whole_networks(name, in_two):
    assert in_two[1][name] == ""


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("name", METHODS)
def test_one_process_takes_up_the_checkpoint_and_goes_on(name, in_two):
    out = in_two[0] / name
    saved = checkpoint.newest(out)
    on = vit_trainer(name, out, epochs=3, shard_encoder=True)  # one process: nothing is sharded
    assert on.plain is None
    assert on.standing.restore(out, on.step) == 6
    assert equal(weights(on.method), saved["method"])
    on.fit()
    assert not equal(weights(on.method), saved["method"])
    assert all(torch.isfinite(value).all() for value in on.method.parameters())


@pytest.mark.parametrize(("settings", "said"), [
    ({"optimizer": "lars"}, "shard_encoder: lars needs the norm of whole layers, which no process has; use adamw or sgd"),
    ({"device_batch_size": 8}, "shard_encoder does not go with device_batch_size; recompute_blocks saves memory with it"),
    ({"compile": True}, "compile and shard_encoder were never tried together; leave one of them out"),
])  # fmt: skip
def test_what_does_not_go_with_it_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Training(shard_encoder=True, **settings).check()


def test_only_a_vit_is_sharded():
    Training(shard_encoder=True).check_encoder(ViT())
    with pytest.raises(ValueError, match="shard_encoder: only a ViT is sharded, not resnet"):
        Training(shard_encoder=True).check_encoder(ResNet())
