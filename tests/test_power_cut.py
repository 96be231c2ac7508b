"""A power cut between any two steps to the disk, and a full disk at any of them: records and checkpoints stay whole.

The disk here keeps of a file what was fsynced, and of a name what was fsynced with its folder; all else may be lost.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipelines.errors import EnvironmentFault
from pipelines.records import now, read_record, write_record
from pipelines.training import checkpoint


class Cut(BaseException):
    """The power is off."""


class Disk:
    """Counts the steps to the disk, ends before one of them, and knows what outlives a cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, end: int, error: BaseException) -> None:
        self.steps, self.end, self.error, self.on = 0, end, error, True
        self.folder = folder
        self.contents: dict[int, bytes] = {}  # inode -> what was fsynced
        self.names = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        fsync, replace, fchmod = os.fsync, Path.replace, Path.chmod
        monkeypatch.setattr(os, "fsync", lambda descriptor: self._synced(fsync, descriptor))
        monkeypatch.setattr(Path, "replace", lambda path, target: self._step(lambda: replace(path, target)))
        monkeypatch.setattr(Path, "chmod", lambda path, mode: self._step(lambda: fchmod(path, mode)))

    def _step(self, act: Callable[[], object]) -> object:
        if self.on and self.steps == self.end:
            raise self.error
        self.steps += 1
        return act()

    def _synced(self, fsync: Callable[[int], None], descriptor: int) -> None:
        self._step(lambda: fsync(descriptor))
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == self.folder:
            self.names = {
                each.name: self.contents.get(each.stat().st_ino, b"") for each in path.iterdir() if each.is_file()
            }
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()

    def restart(self) -> None:
        """Leave in the folder what the disk has: names that were synced, with the bytes that were synced."""
        self.on = False
        for path in list(self.folder.iterdir()):
            path.unlink()
        for name, data in self.names.items():
            (self.folder / name).write_bytes(data)


def record(folder: Path, value: float) -> None:
    """Weights, then the record that vouches for them."""
    checkpoint.save(folder / "encoder.pt", {"weight": torch.full((3,), value)})
    write_record(
        folder,
        key="a-1",
        stage="pretrain",
        spec={},
        inputs={},
        metrics={"value": value},
        derived={},
        seconds=1.0,
        artifacts={"encoder": "encoder.pt"},
        started=now(),
    )


def save(folder: Path, value: float) -> None:
    checkpoint.save(folder / "checkpoint.pt", {"weight": torch.full((3,), value)})


def record_is(folder: Path) -> float | None:
    if not (folder / "record.json").exists():
        return None
    value = read_record(folder).metrics["value"]
    assert checkpoint.load(folder / "encoder.pt")["weight"].tolist() == [value] * 3
    return value


def saved(folder: Path) -> float | None:
    state = checkpoint.load(folder / "checkpoint.pt")
    return state and state["weight"][0].item()


FAULTS: dict[str, Callable[[], BaseException]] = {
    "power": Cut,
    "full": lambda: OSError(errno.ENOSPC, "No space left on device"),
}


def steps_of(monkeypatch: pytest.MonkeyPatch, folder: Path, write: Callable[[Path, float], None]) -> int:
    folder.mkdir()
    with monkeypatch.context() as patch:
        disk = Disk(patch, folder, -1, Cut())
        write(folder, 1.0)
    return disk.steps


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("write", "read", "before"),
    [(record, record_is, None), (save, saved, None), (save, saved, 1.0)],
    ids=["record", "first-checkpoint", "next-checkpoint"],
)
def test_what_breaks_off_between_any_two_steps_is_old_or_new_and_the_next_attempt_ends_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    write: Callable[[Path, float], None],
    read: Callable[[Path], float | None],
    before: float | None,
) -> None:
    steps = steps_of(monkeypatch, tmp_path / "counted", write)
    assert steps >= 4
    for end in range(steps + 1):
        folder = tmp_path / str(end)
        folder.mkdir()
        if before is not None:
            write(folder, before)
        with monkeypatch.context() as patch:
            disk = Disk(patch, folder, end, FAULTS[fault]())
            if end == steps:
                write(folder, 2.0)
            else:
                with pytest.raises((Cut, EnvironmentFault)):
                    write(folder, 2.0)
            if fault == "power":
                disk.restart()
        assert read(folder) in ((2.0,) if end == steps else (before, 2.0))
        write(folder, 2.0)
        assert read(folder) == 2.0
        assert not list(folder.glob(".*.part")) or fault == "power"
