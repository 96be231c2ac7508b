"""Job folders as tracking reads them. Imports no MLflow."""

import functools
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pipelines import history
from pipelines.errors import InputError
from pipelines.files import read_json, sha256_file
from pipelines.records import FILE as RECORD
from pipelines.records import Record, read_record
from pipelines.spec.layout import SPEC


@dataclass(frozen=True)
class ReadJob:
    """What a job folder held when it was read: spec.json, history.jsonl and record.json, as far as they are there."""

    path: Path
    stage: str
    key: str
    inputs: dict[str, str]
    spec: dict[str, Any]
    record: Record | None
    digest: str
    """SHA-256 of the record; empty without one."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Stage and key are those of record.json, else of spec.json, else of the folder's path."""
        file = folder / RECORD
        record = read_record(file) if file.exists() else None
        if record is not None:
            given: dict[str, Any] = {name: getattr(record, name) for name in ("stage", "key", "inputs", "spec")}
        else:
            given = read_json(folder / SPEC) if (folder / SPEC).exists() else {}
            if not isinstance(given, dict):
                raise InputError(f"{folder / SPEC}: must be a mapping, got {type(given).__name__}")
        return cls(
            folder,
            str(given.get("stage", folder.parent.name)),
            str(given.get("key", folder.name)),
            given.get("inputs", {}),
            given.get("spec", {}),
            record,
            sha256_file(file) if record else "",
        )

    @property
    def history(self) -> Path:
        return self.path / history.FILE

    @cached_property
    def status(self) -> str:
        """MLflow's word: FINISHED with a record, RUNNING while a process writes the history, else FAILED."""
        if self.record is not None:
            return "FINISHED"
        return "RUNNING" if history.being_written(self.history) else "FAILED"


State = tuple[int | bool, ...]


def state_of(folder: Path) -> State:
    """Size and time of the record, else of the history and whether it is being written; empty when there is neither."""
    for name in (RECORD, history.FILE):
        try:
            stat = (folder / name).stat()
        except FileNotFoundError:
            continue
        writing = name == history.FILE and history.being_written(folder / name)
        return (name == RECORD, stat.st_mtime_ns, stat.st_size, writing)
    return ()


def shards_record(folder: Path) -> Record | None:
    """What is known of packed images; None while they are not packed."""
    try:
        return _read(folder, (folder / RECORD).stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@functools.lru_cache(maxsize=256)
def _read(folder: Path, _changed: int) -> Record:
    return read_record(folder / RECORD)


def files_digest(files: dict[str, Path]) -> str:
    """Equal for the same files in the same state: of names, sizes and times."""
    stats = {name: path.stat() for name, path in sorted(files.items())}
    text = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats.items())
    return hashlib.sha256(text.encode()).hexdigest()
