"""The loop: exact resume, checkpoints that survive a full disk, errors that tell, and monitors that only watch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainer_tools import COUNT, equal, small_options, small_trainer, weights

from pipelines.errors import DamagedFile
from pipelines.history import read
from pipelines.training import checkpoint
from pipelines.training.loop import Stopped
from pipelines.training.precision import autocast_dtype

ROOT = Path(__file__).parents[2]


def moco(**given):
    return small_options("moco", **given)


def test_a_stop_in_mid_epoch_saves_and_the_next_start_goes_on(tmp_path):
    whole = small_trainer(moco(), tmp_path / "whole")
    whole.fit()
    calls = iter([False] * 3 + [True] * 100)
    stopped = small_trainer(moco(), tmp_path / "stopped", stop=lambda: next(calls))
    with pytest.raises(Stopped, match="of 6"):
        stopped.fit()
    resumed = small_trainer(moco(), tmp_path / "stopped")
    resumed.fit()
    assert equal(weights(whole.method), weights(resumed.method))


def test_the_history_of_a_resumed_run_has_every_step_once(tmp_path):
    calls = iter([False] * 3 + [True] * 100)
    with pytest.raises(Stopped):
        small_trainer(moco(), tmp_path, stop=lambda: next(calls)).fit()
    small_trainer(moco(), tmp_path).fit()
    steps = [point.step for point in read(tmp_path / "history.jsonl") if "train/loss" in point.metrics]
    assert steps == list(range(6))


def test_evaluation_is_read_at_the_end_and_every_so_many_epochs(tmp_path):
    readings = []
    trainer = small_trainer(moco(), tmp_path, epochs=4, online_knn_epochs=2)
    trainer.evaluate = lambda encoder: {"eval/online_knn": float(len(readings))}
    trainer.watch = lambda epoch, found: readings.append((epoch, found["eval/online_knn"]))
    assert trainer.fit().metrics["final/eval/online_knn"] == 1.0
    assert readings == [(2, 0.0), (4, 1.0)]


def test_learning_rate_and_steps_are_derived_numbers(tmp_path):
    derived = small_trainer(moco(), lr_per_256=0.32).fit().derived
    assert derived["lr"] == pytest.approx(0.32 * 16 / 256)
    assert (derived["steps"], derived["steps_per_epoch"]) == (6, COUNT // 16)


def test_one_process_says_that_mocos_batch_norm_is_not_shuffled_unless_it_is_split():
    assert small_trainer(moco()).fit().derived["images_per_batch_norm"] == 16
    assert small_trainer(moco(bn_splits=4)).fit().derived["images_per_batch_norm"] == 4
    assert small_trainer(small_options("mae")).fit().derived["images_per_batch_norm"] is None


def test_frozen_copies_get_no_gradient_and_no_optimizer_group():
    trainer = small_trainer(moco())
    known = {id(p) for group in trainer.step.optimizer.param_groups for p in group["params"]}
    assert all(id(p) in known for p in trainer.method.encoder.parameters())
    assert not any(id(p) in known for p in trainer.method.key_encoder.parameters())


def test_layers_that_draw_repeat_with_the_step_whatever_was_drawn_before():
    """Drop path and its kin read torch's own generator: the loop seeds it for a step and puts it back."""
    trainer, drawn = small_trainer(moco()), []
    for seed, step in ((1, 0), (2, 0), (2, 1)):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        with trainer.step.layer_draws(step):
            drawn.append(torch.rand(3))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_precision_is_what_was_asked_for():
    assert autocast_dtype("float32", torch.device("cpu")) == torch.float32
    assert autocast_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(DamagedFile, match=r"checkpoint\.pt: not a checkpoint"):
        small_trainer(moco(), tmp_path).fit()


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Runs:
        def __reduce__(self):
            return (Path(tmp_path / "ran").touch, ())

    (tmp_path / "checkpoint.pt").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(DamagedFile):
        checkpoint.load(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "ran").exists()


FULL_DISK = """
import resource, signal, sys, torch
from pathlib import Path
from pipelines.errors import EnvironmentFault
from pipelines.training import checkpoint
path = Path(sys.argv[1])
checkpoint.save(path, {"step": 1, "weights": torch.ones(10)})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    checkpoint.save(path, {"step": 2, "weights": torch.ones(100_000)})
except EnvironmentFault as error:
    print(error)
"""


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path):
    """A limit on file sizes makes the kernel refuse the write half way, as a full disk does."""
    path = tmp_path / "checkpoint.pt"
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert "could not be written" in ran.stdout, ran.stderr
    assert checkpoint.load(path)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"], "the half-written file is gone"
