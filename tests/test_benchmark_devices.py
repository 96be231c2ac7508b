"""All sides of a benchmark run on the device that was asked for, and a GPU's results do not replace the processor's."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import chunks, common, devices, moco_throughput, steps
from benchmarks.contest import TimedTrainer

SCRIPTS = Path(steps.__file__).parent
MADE_UP = torch.device("meta")


def test_a_gpu_has_results_of_its_own():
    assert devices.result_name("steps", "cuda") == "steps_gpu"
    assert devices.result_name("steps", "cpu") == "steps"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("script", ["steps", "moco_throughput", "chunks", "scaling", "time_to_accuracy"])
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(script, tmp_path):
    command = [sys.executable, SCRIPTS / f"{script}.py", "--device", "cuda", "--json", tmp_path / "result.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "--device cuda: torch finds no GPU on this machine, so nothing was measured.\n"
    assert not list(tmp_path.iterdir())


def test_gpus_are_hidden_where_the_processor_is_asked_for(monkeypatch):
    """The trainer would take one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert devices.checked("cpu") == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_result_names_the_gpu(tmp_path):
    common.Report("some_gpu", "What.", (), {}, False, "Some GPU").finish([], {}, tmp_path / "some_gpu.json")
    assert '"gpu": "Some GPU"' in (tmp_path / "some_gpu.json").read_text()
    assert "gpu" not in common.Report("some", "What.", (), {}, False).result["machine"]


@pytest.mark.parametrize("device", ["cpu", "cuda", "made up"])
def test_all_contestants_get_the_same_device(device):
    setting = {"limit": None, "queue_size": 8, "widths": {"16": [1, 1]}}
    throughput = moco_throughput.makers_of(Path("files"), Path("folder"), 16, setting, 1, device)
    assert [maker[-1] for maker in throughput.values()] == [device] * 4
    if device in chunks.WORK:
        assert [maker[-1] for maker in chunks.makers_of(device, 1).values()] == [device] * 3


def test_contestants_on_other_devices_are_not_compared():
    turns = {name: [{"parameters": 1, "device": where}] for name, where in (("ours", "cuda:0"), ("lightly", "cpu"))}
    with pytest.raises(AssertionError, match="trained on"):
        moco_throughput.check_alike(turns, "cuda")
    moco_throughput.check_alike({"ours": turns["ours"], "lightly": turns["ours"]}, "cuda")


def test_both_sides_of_steps_get_the_device(monkeypatch):
    asked = []

    class Method(torch.nn.Linear):
        def __init__(self, *_: object) -> None:
            super().__init__(2, 2)

    monkeypatch.setitem(steps.METHODS, "small", (None, Method))
    monkeypatch.setattr(steps, "ours", lambda *given: asked.append(given[-1]) or ({}, Method()))
    monkeypatch.setattr(steps, "theirs", lambda *given: asked.append(given[-1]))
    steps.contestants("small", steps.QUICK["cpu"], MADE_UP)
    assert asked == [MADE_UP] * 3


def test_a_rate_waits_for_the_device_around_the_work(monkeypatch):
    log = []
    monkeypatch.setattr(devices, "settle", lambda device: log.append("settled"))
    devices.rate(lambda: log.append("work"), 10, torch.device("cpu"))()
    assert log == ["settled", "work", "settled"]


class Fitting:
    """A trainer that asks once a step whether to stop."""

    def __init__(self, log: list[str]) -> None:
        self.log, self.clock = log, type("Clock", (), {"training": 0.0, "views": 0.0})()

    def fit(self) -> None:
        self.clock.training += 1
        while not self.timed.stop():
            self.clock.training += 1
            self.log.append("step")


def test_a_turn_waits_for_the_device_before_the_first_step_that_counts_and_after_the_last():
    log: list[str] = []
    timed = TimedTrainer(settle=partial(log.append, "settled"))
    timed.trainer = Fitting(log)
    timed.trainer.timed = timed
    assert len(timed(2, 3)["seconds"]) == 3
    assert log == ["step", "settled", "step", "step", "step", "settled"]


def test_the_share_of_views_is_told_for_the_processor_alone():
    """The program's clock says nothing of a GPU's."""
    turn = {"seconds": [1.0, 3.0], "views_share": 0.1}
    turns = {name: [turn, turn] for name in moco_throughput.TITLES}
    told = {device: moco_throughput.rows(16, turns, device) for device in ("cpu", "cuda")}
    assert told["cpu"][:-1] == told["cuda"]
    assert told["cpu"][-1]["value"] == 10
    assert told["cuda"][0]["value"] == moco_throughput.BATCH / 2
