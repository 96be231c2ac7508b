"""History: nothing half written is read, a resume leaves neither gap nor repeat, one writer at a time."""

import errno
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines import history
from pipelines.errors import DamagedFile, EnvironmentFault
from pipelines.history import History, being_written, read, read_from

ROOT = Path(history.__file__).parents[1]


def steps(path: Path) -> list[int]:
    return [point.step for point in read(path)]


def fill(path: Path, *numbers: int, keep_steps_below: int | None = None) -> None:
    with History.open(path, keep_steps_below) as log:
        for number in numbers:
            log.log(number, {"train/loss": 1 / (number + 1)})


def test_what_is_logged_is_read_with_the_time_of_logging(tmp_path: Path) -> None:
    path = tmp_path / "job" / "history.jsonl"
    before = time.time_ns() // 1_000_000
    with History.open(path) as log:
        log.log(3, {"train/loss": 0.5, "train/lr": np.float32(0.25), "val/hits": np.int64(7)})
        assert len(read(path)) == 1  # at once, without a flush
        log.sync()
    (point,) = read(path)
    assert point.metrics == {"train/loss": 0.5, "train/lr": 0.25, "val/hits": 7.0}
    assert point.step == 3
    assert before <= point.time <= time.time_ns() // 1_000_000


def test_a_missing_history_is_an_empty_one(tmp_path: Path) -> None:
    assert read(tmp_path / "history.jsonl") == []
    assert not being_written(tmp_path / "history.jsonl")


def test_non_finite_numbers_survive_as_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with History.open(path) as log:
        log.log(0, {"a": math.nan, "b": math.inf, "c": np.float32("-inf"), "d": 1.5})

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    (point,) = read(path)
    assert math.isnan(point.metrics["a"])
    assert (point.metrics["b"], point.metrics["c"], point.metrics["d"]) == (math.inf, -math.inf, 1.5)


@pytest.mark.parametrize("half", ['{"t":1,"st', '{"t":1,"step":9,"metrics":{"a":1}}', ""])
def test_a_half_line_is_neither_read_nor_continued(tmp_path: Path, half: str) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0, 1)
    with path.open("a") as file:
        file.write(half)
    assert steps(path) == [0, 1]
    fill(path, 2)
    assert steps(path) == [0, 1, 2]


def test_a_resume_cuts_back_to_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0, 1, 2, 3, 3, 4)
    kept = path.read_bytes().splitlines(keepends=True)[:3]
    fill(path, 3, 4, 5, keep_steps_below=3)
    assert steps(path) == [0, 1, 2, 3, 4, 5]
    assert path.read_bytes().startswith(b"".join(kept))  # original times stay
    fill(path, 6, keep_steps_below=None)
    assert steps(path) == [0, 1, 2, 3, 4, 5, 6]
    fill(path, keep_steps_below=0)
    assert steps(path) == []


def test_a_late_line_of_an_early_step_stays(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0, 4, 1, 5, 2)
    fill(path, keep_steps_below=3)
    assert steps(path) == [0, 1, 2]


def test_reading_goes_on_from_any_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0, 1, 2, 3)
    ends = [end for _, end in read_from(path)]
    assert ends[-1] == path.stat().st_size
    assert [point.step for point, _ in read_from(path, ends[1])] == [2, 3]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"t":1,"step":2}',
        '{"t":1,"step":2,"metrics":{"a":"high"}}',
        '{"t":1,"step":1e999,"metrics":{}}',
        "[" * 50_000,
    ],
    ids=lambda line: line[:40],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0)
    size = path.stat().st_size
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DamagedFile, match=f"byte {size}"):
        read(path)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.jsonl"
    real, calls = os.write, []

    def full_after_ten_bytes(file: int, data: bytes) -> int:
        calls.append(file)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(file, data[:10])

    with History.open(path) as log:
        log.log(0, {"a": 1.0})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full_after_ten_bytes)
            with pytest.raises(EnvironmentFault, match=r"No space left on device.*free space"):
                log.log(1, {"a": 1.0})
        log.log(2, {"a": 1.0})
    assert steps(path) == [0, 2]


def test_a_disk_that_does_not_take_what_was_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with History.open(tmp_path / "history.jsonl") as log:
        log.log(0, {"a": 1.0})
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(EnvironmentFault, match=r"history\.jsonl: could not be written \(No space left"):
            log.sync()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with History.open(path):
        assert being_written(path)
        with pytest.raises(EnvironmentFault, match="another process"):
            History.open(path)
    assert not being_written(path)
    fill(path, 0)
    assert steps(path) == [0]


def test_a_writer_on_another_machine_is_believed_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    fill(path, 0)
    (tmp_path / history.WRITER).write_text("node17." + socket.gethostname() + "\n")
    assert being_written(path)
    assert not being_written(path, patience=0)


def test_a_killed_writer_leaves_whole_lines_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    code = (
        "import itertools, pathlib, sys; from pipelines.history import History\n"
        "log = History.open(pathlib.Path(sys.argv[1]))\n"
        "for step in itertools.count(): log.log(step, {'a': 0.1, 'b': step})"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
    try:
        while not path.exists() or path.stat().st_size < 20_000:
            assert child.poll() is None
            time.sleep(0.01)
        assert being_written(path)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not being_written(path)
    seen = steps(path)
    assert seen == list(range(len(seen)))
    fill(path, 100, keep_steps_below=100)
    assert steps(path) == list(range(101))
