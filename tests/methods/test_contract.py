"""What every method must keep, whatever it is: found by walking the folder, so that none can be forgotten."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainer_tools import INSTALLED, equal, every_method, small_method, small_options, small_trainer, weights

from pipelines.methods.base import Method
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT

ROOT = Path(__file__).parents[2]


class Killed(Exception):
    """Stands for a kill in the middle of training."""


@every_method
def test_options_and_method_come_in_pairs(name):
    assert hasattr(importlib.import_module(f"pipelines.methods.{name}"), "build")
    method = small_method(small_options(name))
    overridden = {
        hook for hook in ("loss", "after_step", "forward", "train", "state_dict") if hook in type(method).__dict__
    }
    assert "loss" in overridden
    assert overridden <= {"loss", "after_step"}, "a method has three hooks and overrides nothing else"


@every_method
def test_planning_knows_how_wide_its_features_are(name):
    options = small_options(name)
    method = small_method(options)
    one = method.encoder.width // options.branches
    assert one in (ResNet(depth=10, width=8).feature_width, ViT(size="micro").feature_width)
    assert one * options.branches == method.encoder.width


@every_method
def test_two_steps_change_the_encoder_and_stay_finite(name):
    trainer = small_trainer(small_options(name), epochs=1)
    before = weights(trainer.method)
    fitted = trainer.fit()
    after = weights(trainer.method)
    assert any(not torch.equal(before[key], after[key]) for key in before if key.startswith("encoder."))
    assert all(value.isfinite().all() for value in after.values() if value.is_floating_point())
    assert "final/train/loss" in fitted.metrics


@every_method
def test_killed_and_resumed_equals_never_killed(name, tmp_path):
    whole = small_trainer(small_options(name), tmp_path / "whole", checkpoint_minutes=0.0)
    whole.fit()
    broken = small_trainer(small_options(name), tmp_path / "broken", checkpoint_minutes=0.0)
    steps = iter(range(4))

    def dies(batch, generator, views=broken.make_views):
        if next(steps, None) is None:
            raise Killed
        return views(batch, generator)

    broken.make_views = dies
    with pytest.raises(Killed):
        broken.fit()
    again = small_trainer(small_options(name), tmp_path / "broken", checkpoint_minutes=0.0)
    again.fit()
    assert equal(weights(whole.method), weights(again.method))


@every_method
def test_monitors_change_nothing(name, tmp_path):
    watched = small_trainer(small_options(name), use_monitors=True)
    alone = small_trainer(small_options(name), use_monitors=False)
    watched.fit()
    alone.fit()
    assert equal(weights(watched.method), weights(alone.method))


@every_method
def test_the_encoder_alone_can_be_loaded_strictly(name):
    trainer = small_trainer(small_options(name), epochs=1)
    trainer.fit()
    fresh: Method = small_method(small_options(name), seed=1)
    fresh.encoder.load_state_dict(trainer.method.encoder.state_dict(), strict=True)
    assert equal(dict(fresh.encoder.state_dict()), dict(trainer.method.encoder.state_dict()))


def in_processes(count: int, methods: list[str]) -> dict[str, str]:
    """Method -> what went wrong with it in ``count`` processes (gloo); one start of them serves all."""
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}", "--rdzv-backend=c10d"]
    launch += ["--rdzv-endpoint=localhost:0", str(ROOT / "tests" / "methods" / "two_ranks.py"), *methods]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return {row["name"]: row["problem"] for row in rows}


@pytest.fixture(scope="module")
def two_processes() -> dict[str, str]:
    return in_processes(2, INSTALLED)


@pytest.fixture(scope="module")
def four_processes() -> dict[str, str]:
    return in_processes(4, [*FOUR, *CHUNKED])


FOUR = ["byol", "moco", "instdisc", "swav", "dino"]
"""A moving average, a queue, a bank, balanced codes and a centre."""
CHUNKED = [f"{name}:2" for name in FOUR]
"""The same, each process's four images through the networks in two halves."""


@pytest.mark.xdist_group("processes")  # the start of four processes serves all
@pytest.mark.parametrize("name", [*FOUR, *CHUNKED])
def test_one_process_and_four_give_the_same_loss_and_state(name, four_processes):
    assert four_processes[name] == ""


@pytest.mark.xdist_group("processes")
@every_method
def test_one_process_and_two_give_the_same_loss_where_promised(name, two_processes):
    """Without batch norm and with the same views, two ranks' mean loss is that of the joined batch."""
    assert two_processes[name] == ""
