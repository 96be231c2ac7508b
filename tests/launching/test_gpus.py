"""Pretended GPUs: no two processes hold the same, a killed one holds nothing, a launcher keeps what was taken for it."""

import collections
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.errors import EnvironmentFault, InputError
from pipelines.launching import gpus
from pipelines.launching.gpus import gpus_for, names_in

ROOT = Path(__file__).parents[2]
HOLD = """
import os, sys, time
from pathlib import Path
from pipelines.launching import gpus
gpus.FOLDERS, gpus.PAUSE = (Path(sys.argv[1]),), 0.01
with gpus.gpus_for(int(sys.argv[2])) as held:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(held)
    print("begin", *held, flush=True)
    exec(sys.argv[3])
    print("end", *held, flush=True)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of three GPUs, whose locks are the test's own."""
    monkeypatch.setattr(gpus, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(gpus, "PAUSE", 0.01)
    monkeypatch.setenv(gpus.SHARED, "0,1,2")
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    return tmp_path


def holder(folder: Path, count: int, work: str = "sys.stdin.read()") -> subprocess.Popen[str]:
    """A process that holds GPUs while it works, by itself until its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder), str(count), work]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(gpus.VISIBLE, None)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def begun(process: subprocess.Popen[str]) -> list[str]:
    """The GPUs that it says it holds."""
    assert process.stdout
    word, *held = process.stdout.readline().split()
    assert word == "begin"
    return held


def test_no_two_processes_get_the_same(machine: Path):
    with gpus_for(1) as mine, holder(machine, 2) as other:
        assert mine == ["0"]
        assert os.environ[gpus.VISIBLE] == "0"
        assert begun(other) == ["1", "2"]
        with pytest.raises(EnvironmentFault, match="lsof"):
            _again(0.05)
        other.communicate("")
    assert gpus.VISIBLE not in os.environ
    with gpus_for(3) as all_of_them:
        assert all_of_them == ["0", "1", "2"]


def _again(wait: float) -> None:
    """As another process would ask, which sees no CUDA_VISIBLE_DEVICES of this one."""
    kept = os.environ.pop(gpus.VISIBLE)
    try:
        with gpus_for(1, wait):
            pass
    finally:
        os.environ[gpus.VISIBLE] = kept


def test_many_at_once_share_without_overlap_and_all_come_to_their_turn(machine: Path):
    """Six processes of one or two GPUs each write when they begin and end; at no time has one GPU two of them."""
    log = machine / "log"
    work = f"""f = open({str(log)!r}, "a")
f.write(f"+ {{held}}\\n"); f.flush(); time.sleep(0.05); f.write(f"- {{held}}\\n"); f.close()"""
    crowd = [holder(machine, 1 + number % 2, work) for number in range(6)]
    for process in crowd:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    users: collections.Counter[str] = collections.Counter()
    lines = log.read_text().splitlines()
    assert len(lines) == 12
    for line in lines:
        users.update({name: 1 if line[0] == "+" else -1 for name in line.replace("'", " ").split() if name.isdecimal()})
        assert max(users.values()) <= 1, lines


def test_a_killed_process_holds_nothing(machine: Path):
    with holder(machine, 3) as other:
        assert begun(other) == ["0", "1", "2"]
        other.kill()
        other.wait()
        start = time.monotonic()
        with gpus_for(3, wait=5):
            assert time.monotonic() - start < 2


def test_what_takes_the_process_s_place_keeps_them_until_it_ends(machine: Path):
    """The stage becomes torchrun by exec; the lock has to live as long as that."""
    after = "import sys; print('in its place', flush=True); sys.stdin.read()"
    with holder(machine, 3, f"os.execv(sys.executable, [sys.executable, '-c', {after!r}])") as launcher:
        begun(launcher)
        assert launcher.stdout.readline() == "in its place\n"
        with pytest.raises(EnvironmentFault), gpus_for(1, wait=0.05):
            pass
        launcher.communicate("")
    with gpus_for(1) as held:
        assert held == ["0"]


def test_what_a_scheduler_has_chosen_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(gpus.VISIBLE, "5")
    with gpus_for(4) as held:
        assert held == []
        assert os.environ[gpus.VISIBLE] == "5"


def test_more_than_there_are_is_refused_at_once():
    with pytest.raises(InputError, match=r"4 GPUs are wanted.*this machine has 3.*gpus_per_job"), gpus_for(4):
        pass


@pytest.mark.parametrize(("listed", "held"), [
    ("", []),
    ("GPU 0: NVIDIA A (UUID: GPU-a)\n", []),  # one alone: no choice to make
    ("GPU 0: NVIDIA A (UUID: GPU-a)\nGPU 1: NVIDIA A (UUID: GPU-b)\n", ["GPU-a"]),
])  # fmt: skip
def test_the_machine_s_own_are_shared_where_there_are_several(tmp_path, monkeypatch, listed, held):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{listed}'\n" if listed else "#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv(gpus.SHARED)
    with gpus_for(1) as found:
        assert found == held


def test_instances_stand_for_the_gpu_that_is_cut_into_them():
    listed = """GPU 0: NVIDIA H100 (UUID: GPU-a)
  MIG 1g.10gb     Device  0: (UUID: MIG-b)
  MIG 1g.10gb     Device  1: (UUID: MIG-c)
GPU 1: NVIDIA H100 (UUID: GPU-d)
"""
    assert names_in(listed) == ["MIG-b", "MIG-c", "GPU-d"]


@pytest.mark.parametrize(("words", "count"), [
    ("pretrain --job x --processes 2", 2), ("pretrain --job x --processes 0", 1),
    ("pretrain --job x --processes 8 --nodes 2", 0),
    ("evaluate --job x", 1), ("tune --job x --worker 0 --of 2", 1), ("tune --job x --close", 0), ("shards --job x", 0),
])  # fmt: skip
def test_stages_take_as_many_as_they_work_on(monkeypatch, words, count):
    monkeypatch.delenv("RANK", raising=False)
    arguments = vars(cli.parser().parse_args(words.split()))
    assert cli.STAGES[arguments["stage"]].gpus(arguments) == count


def test_processes_of_a_launcher_take_none_of_their_own(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    assert cli.STAGES["pretrain"].gpus({"processes": 2, "nodes": 1}) == 0


def test_one_who_looks_and_never_ends_is_told_of_and_waited_for_with_a_limit(machine: Path, capsys):
    with gpus_for(1):
        pass
    with (next(machine.glob("*/looking"))).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFault, match="were not free for"), gpus_for(1, 0.05):
            pass
    assert "waiting for 1 of the GPUs 0, 1, 2" in capsys.readouterr().err
    with gpus_for(1) as held:
        assert held == ["0"]
