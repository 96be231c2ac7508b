"""History: a job's metrics over steps, as append-only lines of history.jsonl.

A line is ``{"t": milliseconds since 1970, "step": int, "metrics": {name: number}}``. NaN and infinities are the strings
"nan", "inf" and "-inf", so that every line is plain JSON. Only a line that ends in a newline counts: a kill can leave
half of one, which the next writer cuts off. Beside it, ``.writer`` names the process that writes and is locked while
it does.
"""

import contextlib
import json
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipelines import locks
from pipelines.errors import DamagedFile, EnvironmentFault, unwritten

FILE = "history.jsonl"
WRITER = ".writer"
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=lambda number: number.item()).encode


class Point(NamedTuple):
    """One line: the metrics that one call logged."""

    time: int
    """Milliseconds since 1970, UTC, when it was first logged."""
    step: int
    metrics: dict[str, float]


class History:
    """The one writer of a history.jsonl; close it, or use it as a context."""

    def __init__(self, path: Path, file: int, lock: locks.Lock) -> None:
        self._path, self._file, self._lock = path, file, lock
        self._end = os.fstat(file).st_size

    @classmethod
    def open(cls, path: Path, keep_steps_below: int | None = None) -> Self:
        """Open ``path`` for appending; what a kill left half written is cut off.

        ``keep_steps_below``: the number of steps the checkpoint has behind it. Lines of that step and later go, since
        they will be logged again; 0 starts anew, None keeps all. EnvironmentFault when another process is the writer.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(path)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                _cut(path, file, keep_steps_below)
                return cls(path, file, lock)
            except BaseException:
                os.close(file)
                raise
        except BaseException:
            lock.release()
            raise

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append one line in one unbuffered write. Values: Python, numpy or 0-d torch numbers.

        EnvironmentFault when the disk is full; then nothing of the line stays.
        """
        try:
            text = _encode(metrics)
        except ValueError:  # NaN or an infinity
            text = _encode({name: _as_json(value) for name, value in metrics.items()})
        line = f'{{"t":{time.time_ns() // 1_000_000},"step":{step},"metrics":{text}}}\n'.encode()
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise unwritten(self._path, error) from error
        self._end += len(line)

    def sync(self) -> None:
        """Wait until all lines are on the disk: call it before a checkpoint is written, which must not be ahead."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise unwritten(self._path, error) from error

    def close(self) -> None:
        """Close the file and give up the writer's lock."""
        os.close(self._file)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> list[Point]:
    """All complete lines of a history; a missing file is an empty one. DamagedFile names a damaged line."""
    return [point for point, _ in read_from(path)]


def read_from(path: Path, offset: int = 0) -> Iterator[tuple[Point, int]]:
    """The complete lines from byte ``offset`` on, each with the offset behind it."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield _parse(path, line, offset), (offset := offset + len(line))


def last(path: Path, size: int = 65536) -> list[Point]:
    """The complete lines among the last ``size`` bytes: enough to see where a training stands, however long it is."""
    try:
        start = max(0, path.stat().st_size - size)
        with path.open("rb") as file:
            file.seek(start)
            begun = len(file.readline()) if start else 0
    except FileNotFoundError:
        return []
    return [point for point, _ in read_from(path, start + begun)]


def being_written(path: Path, patience: float = 1800.0) -> bool:
    """Whether a live process has the history at ``path`` open.

    On this machine the writer's lock tells. File locks do not reach other machines on every file system, so a writer
    elsewhere that did not end in order counts as alive for ``patience`` seconds after its last line.
    """
    writer = path.with_name(WRITER)
    if locks.is_held(writer):
        return True
    last = locks.holder(writer)
    with contextlib.suppress(FileNotFoundError):
        return last is not None and last.host != socket.gethostname() and time.time() - path.stat().st_mtime < patience
    return False


def _take_lock(path: Path) -> locks.Lock:
    """The one writer's lock, on the file ``.writer``."""
    writer = path.with_name(WRITER)
    try:
        return locks.take(writer, wait=1.0)  # being_written holds it for an instant
    except EnvironmentFault:
        who = locks.holder(writer) or "another process"
        raise EnvironmentFault(
            f"{path}: another process is writing this job ({who}); wait for it, or end it, and start again"
        ) from None


def _cut(path: Path, file: int, keep_steps_below: int | None) -> None:
    """Remove a half line at the end and, in place, the lines whose step is not below ``keep_steps_below``."""
    complete, start, after = 0, None, []
    for point, end in read_from(path):
        if keep_steps_below is not None and point.step >= keep_steps_below:
            start = complete if start is None else start
        elif start is not None:  # steps went backwards: this line stays though an earlier one goes
            after.append(os.pread(file, end - complete, complete))
        complete = end
    os.ftruncate(file, complete if start is None else start)
    if after:
        os.write(file, b"".join(after))


def _parse(path: Path, line: bytes, offset: int) -> Point:
    try:
        value = json.loads(line)
        metrics = {name: float(number) for name, number in value["metrics"].items()}
        return Point(int(value["t"]), int(value["step"]), metrics)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DamagedFile(
            f"{path}: the line at byte {offset} is damaged ({line[:60]!r}); remove the "
            "line, or delete this file and checkpoint.pt beside it, and the job starts anew"
        ) from None


def _as_json(value: Any) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)
