"""Job folders, found on disk and read: what there is to mirror. Imports no MLflow."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipelines import history
from pipelines.errors import InputError
from pipelines.files import read_json, read_sealed, sha256_file
from pipelines.records import FILE as RECORD
from pipelines.records import Record, read_record

SPEC = "spec.json"
PLAN_AGAIN = "write it anew with: python -m pipelines plan STUDY --write"
_TAIL = 4096


@dataclass(frozen=True)
class JobFolder:
    """A folder with a job's spec.json, history.jsonl and record.json, and the tags its run gets besides its own."""

    path: Path
    tags: dict[str, str] = field(default_factory=dict)


class Mark(NamedTuple):
    """How much of a job folder a run holds: so many bytes of history, the digest of their last few, and the record."""

    size: int
    tail: str
    record: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The mark that ``str`` wrote."""
        size, tail, record = text.split(":")
        return cls(int(size), tail, record)

    def __str__(self) -> str:
        return f"{self.size}:{self.tail}:{self.record}"


@dataclass(frozen=True)
class Contents:
    """What a job folder held when it was read."""

    path: Path
    stage: str
    key: str
    inputs: dict[str, str]
    spec: dict[str, Any]
    record: Record | None
    mark: Mark
    """All there is to send."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``folder``; stage and key are those of record.json, else of spec.json, else of the folder's path."""
        file = folder / RECORD
        record = read_record(file) if file.exists() else None
        if record is not None:
            given: dict[str, Any] = {name: getattr(record, name) for name in ("stage", "key", "inputs", "spec")}
        else:
            given = read_json(folder / SPEC) if (folder / SPEC).exists() else {}
            if not isinstance(given, dict):
                raise InputError(f"{folder / SPEC}: must be a mapping, got {type(given).__name__}")
        size = _complete(folder / history.FILE)
        return cls(
            folder,
            str(given.get("stage", folder.parent.name)),
            str(given.get("key", folder.name)),
            given.get("inputs", {}),
            given.get("spec", {}),
            record,
            Mark(size, _tail(folder / history.FILE, size) or "", sha256_file(file)[:16] if record else ""),
        )

    @property
    def history(self) -> Path:
        return self.path / history.FILE

    @property
    def empty(self) -> bool:
        """Whether the job has not shown any life yet."""
        return self.record is None and self.mark.size == 0

    def holds(self, mark: Mark) -> bool:
        """Whether all that ``mark`` stands for is still here: no line was cut off and no record replaced."""
        return _tail(self.history, mark.size) == mark.tail and mark.record in ("", self.mark.record)

    @cached_property
    def status(self) -> str:
        """MLflow's word: FINISHED with a record, RUNNING while a process writes the history, else FAILED."""
        if self.record is not None:
            return "FINISHED"
        return "RUNNING" if history.being_written(self.history) else "FAILED"


def find_jobs(results: Path, studies: Collection[str] = (), keys: Collection[str] = ()) -> list[JobFolder]:
    """The job folders of ``results``, tagged with the studies that plan them and the label they have there.

    ``studies``: names of studies (results/NAME/plan.json), to take only their jobs; ``keys``: only these. InputError
    when a study has no plan or a key no folder.
    """
    planned = _planned(results, studies)
    found = []
    for path in sorted((results / "jobs").glob("*/*/")):
        job = JobFolder(path, planned.get((path.parent.name, path.name), {}))
        named = {name.strip() for name in job.tags.get("study", "").split(",")}
        if (not studies or named & set(studies)) and (not keys or path.name in keys):
            found.append(job)
    _all_found(keys, {job.path.name for job in found}, results)
    return found


def _planned(results: Path, studies: Iterable[str]) -> dict[tuple[str, str], dict[str, str]]:
    """(stage, key) -> the tags study and label, from the plan.json of every study there is."""
    for name in studies:
        if not (results / name / "plan.json").exists():
            raise InputError(
                f"{results / name / 'plan.json'}: study '{name}' has no plan here; "
                f"make one with: python -m pipelines plan experiments/{name}.yaml --write"
            )
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(results.glob("*/plan.json")):
        for job in read_sealed(path, PLAN_AGAIN)["jobs"]:
            tags = found.setdefault((job["stage"], job["key"]), {"label": job["label"]})
            tags["study"] = f"{tags['study']}, {path.parent.name}" if "study" in tags else path.parent.name
    return found


def _all_found(keys: Iterable[str], found: set[str], results: Path) -> None:
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError(f"{results}/jobs: no folder for key {missing[0]}; see: python -m pipelines plan STUDY")


def _complete(path: Path) -> int:
    """Bytes of a history up to and with its last newline."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            while end > 0:
                start = max(0, end - _TAIL)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    return start + newline + 1
                end = start
    except FileNotFoundError:
        pass
    return 0


def _tail(path: Path, size: int) -> str | None:
    """A digest of the last bytes before ``size``; None: the file is shorter. Lines hold times, so other lines show."""
    if size == 0:
        return ""
    start = max(0, size - _TAIL)
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(size - start)
    except FileNotFoundError:
        return None
    return hashlib.sha256(data).hexdigest()[:16] if len(data) == size - start else None
