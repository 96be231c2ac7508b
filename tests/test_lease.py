"""Leases: one process a folder, whoever dies or stands still, without a lock of the mount; every wait is told and ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines import attempts, heartbeat, lease
from pipelines.errors import EnvironmentFault, InputError
from pipelines.lease import FILE, HANDED, Lease, hand_over, handed_over, leased

ROOT = Path(lease.__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from pipelines import heartbeat, lease
heartbeat.BEAT, lease.STALE = 0.05, 0.5
folder = Path(sys.argv[1])
with lease.leased(folder) as held:
    print("taken", flush=True)
    for _ in range(int(sys.argv[2])):
        held.check()
        time.sleep(0.02)
    (folder / "record.json").touch()
print("released", flush=True)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", 0.05)
    monkeypatch.setattr(lease, "STALE", 0.5)


def holding(folder: Path, ticks: int) -> subprocess.Popen[str]:
    """A process that holds the lease for ``ticks`` of 20 ms, once it has it."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(ticks)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "taken\n"
    return process


def test_the_second_waits_for_the_first_says_for_whom_and_finds_its_record(tmp_path, capsys):
    first = holding(tmp_path, 25)
    with leased(tmp_path):
        assert (tmp_path / "record.json").exists()
    assert first.wait(10) == 0
    told = capsys.readouterr().err
    assert f"{tmp_path}: process {first.pid} on " in told
    assert "is working on it; waiting for its end, at most" in told
    assert not (tmp_path / FILE).exists()


def test_a_wait_has_an_end_that_names_the_holder(tmp_path):
    first = holding(tmp_path, 10_000)
    with pytest.raises(EnvironmentFault, match=f"process {first.pid} on .* for more than 0.3 seconds; end it, and run"):
        Lease.take(tmp_path, wait=0.3)
    first.kill()
    first.wait()


def test_a_killed_holder_on_this_machine_is_followed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "STALE", 1000.0)
    first = holding(tmp_path, 10_000)
    first.kill()
    first.wait()
    begin = time.monotonic()
    with leased(tmp_path):
        assert time.monotonic() - begin < 2


def test_one_on_another_machine_that_no_longer_touches_it_is_taken_for_dead(tmp_path):
    (tmp_path / FILE).write_text("a-node-that-died 12 34 token\n")
    begin = time.monotonic()
    with leased(tmp_path):
        assert 0.4 < time.monotonic() - begin < 5


def test_one_that_stood_still_for_long_finds_out_and_writes_no_more(tmp_path):
    first = holding(tmp_path, 10_000)
    first.send_signal(signal.SIGSTOP)
    with leased(tmp_path) as mine:
        first.send_signal(signal.SIGCONT)
        assert first.wait(10) == 1
        mine.check()
    assert first.stderr
    assert "taken over by process" in first.stderr.read()
    assert not (tmp_path / "record.json").exists()


def test_one_that_stood_still_while_another_did_all_the_work_finds_out_too(tmp_path):
    first = holding(tmp_path, 10_000)
    first.send_signal(signal.SIGSTOP)
    with leased(tmp_path):
        pass
    first.send_signal(signal.SIGCONT)
    assert first.wait(10) == 1


def test_standing_still_for_less_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "STALE", 60.0)
    first = holding(tmp_path, 20)
    first.send_signal(signal.SIGSTOP)
    with pytest.raises(EnvironmentFault):
        Lease.take(tmp_path, wait=0.5)
    first.send_signal(signal.SIGCONT)
    assert first.wait(10) == 0


def test_of_many_at_once_one_at_a_time_holds_it(tmp_path):
    inside, most, lock = [0], [0], threading.Lock()

    def work() -> None:
        with leased(tmp_path):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, inside) == ([1], [0])


def test_a_launchers_leases_are_kept_up_by_the_first_process_it_starts(tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("b", "a")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv(HANDED, "{}")
    hand_over([*folders, tmp_path / "not there"])
    token = (tmp_path / "a" / FILE).read_text()
    monkeypatch.setenv("RANK", "1")
    with handed_over(folders) as none:
        assert not none
    monkeypatch.setenv("RANK", "0")
    with handed_over(folders) as leases:
        assert sorted(leases) == sorted(folders)
        leases[tmp_path / "a"].check()
        assert (tmp_path / "a" / FILE).read_text() == token
        assert token.split()[1] == str(os.getpid())
    assert not (tmp_path / "a" / FILE).exists()


@pytest.mark.parametrize("text", ["{", "7", '["a"]', '{"a": 1}', ""])
def test_leases_that_no_launcher_has_written_are_refused(text, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(HANDED, text)
    with pytest.raises(InputError, match=r"PIPELINES_LEASES=.*; unset it"), handed_over([tmp_path]):
        pass


def test_attempts_are_counted_until_the_record_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert [attempts.begin(tmp_path, "now") for _ in range(3)] == [1, 2, 3]
    assert "Slurm job 77" in (tmp_path / attempts.FILE).read_text()
    attempts.forget(tmp_path)
    assert attempts.begin(tmp_path, "now") == 1
