"""Records: what a finished job was, what it ran on and what came out, as one record.json.

A record is written last and in one move, so a job is finished exactly when its record exists. Records are the only
truth: MLflow, tables and figures are derived from them and may be deleted. A record names the code that made it and
every file it left, and carries a checksum of itself; records older than these have none of the three.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipelines.advice import repaired
from pipelines.artifacts import FileFact, checked, fact_of
from pipelines.code import Code
from pipelines.errors import DamagedFile, InputError
from pipelines.files import CHECKSUM, digest, read_json, sealed, write_json
from pipelines.machine import cpu_name, git_state, versions

FILE = "record.json"
TRAINING_SECONDS = "training/seconds"
"""Of an evaluation that trains: its steps, over all attempts."""
FEATURE_SECONDS = "features/seconds"
"""Of a protocol on features: making them, which its own seconds leave out."""
REDO = "delete the file and run its job again"


def _utc(text: str) -> str:
    offset = datetime.fromisoformat(text).utcoffset()
    if offset is None or offset.total_seconds() != 0:
        raise ValueError(f"must be an ISO time in UTC such as 2026-01-31T12:00:00+00:00, got {text!r}")
    return text


Time = Annotated[str, AfterValidator(_utc)]
Number = int | Annotated[float, Field(allow_inf_nan=False)]


class Record(BaseModel):
    """A finished job."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: str = Field(min_length=1)
    """The job's content-addressed name, e.g. moco_v2_ft-fashion_mnist-s0-92cbd51d."""
    stage: str = Field(min_length=1)
    spec: dict[str, Any]
    """The resolved spec, all defaults written out: what ran."""
    inputs: dict[str, str]
    """Name of an input -> key of the job that made it."""
    metrics: dict[str, Number | None]
    """Slashed names, e.g. test/knn_top1; None: it was NaN or infinite, and flags says so."""
    derived: dict[str, Number | str | None]
    """Numbers that follow from the spec and the data, under names of their own, e.g. lr, steps."""
    seconds: float = Field(ge=0)
    """Wall-clock time of the work, over all attempts of a resumed job."""
    images_per_second: float | None = Field(ge=0)
    started: Time
    finished: Time
    versions: dict[str, str]
    """Python and those watched packages that the job had imported."""
    commit: str
    """The project's git commit; unknown outside a checkout."""
    dirty: bool
    """Whether the package's files differed from that commit."""
    device: str
    """Name of the GPU, else of the CPU."""
    flags: tuple[str, ...] = Field(strict=False)
    """What a reader has to know, e.g. collapsed, not_finite:train/loss."""
    artifacts: dict[str, str]
    """Name -> path relative to the record's folder."""
    files: dict[str, FileFact] = {}
    """Name of an artifact -> its size and digest."""
    code: dict[str, str] = {}
    """Source file -> digest of its meaning, of all that the job's modules import; empty: unknown code."""
    code_digest: str = ""
    """Of all of them."""


def write_record(
    out: Path,
    *,
    key: str,
    stage: str,
    spec: Mapping[str, Any],
    inputs: Mapping[str, str],
    metrics: Mapping[str, Any],
    derived: Mapping[str, Any] | None = None,
    seconds: float,
    images_per_second: float | None = None,
    device: str | None = None,
    code: Code | None = None,
    flags: Iterable[str] = (),
    artifacts: Mapping[str, str | Path] | None = None,
    started: str,
) -> Record:
    """Write ``out/record.json`` in one move, as the very last thing a job does, and return the record.

    ``metrics`` and ``derived`` may hold Python, numpy or 0-d torch numbers. NaN and infinities are stored as null and
    named in the flags (``not_finite:NAME``). A clock that was set back gives no negative times. ``device``: none is
    this machine's CPU. ``code``: ``sources_of`` the job's modules, and ``started``: ``now()``, both asked at the job's
    start. ``artifacts``: paths of finished files inside ``out``, relative to it or not.
    """
    names = {name: _inside(out, Path(path)) for name, path in (artifacts or {}).items()}
    numbers, derived_numbers = _plain(metrics), _plain(derived or {})
    commit, dirty = git_state()
    record = Record(
        key=key,
        stage=stage,
        spec=dict(spec),
        inputs=dict(inputs),
        metrics=_finite(numbers),
        derived=_finite(derived_numbers),
        seconds=max(0.0, float(seconds)),
        images_per_second=None if images_per_second is None or images_per_second < 0 else float(images_per_second),
        started=started,
        finished=max(started, now(), key=datetime.fromisoformat),
        versions=versions(),
        commit=commit,
        dirty=dirty,
        device=device or cpu_name(),
        flags=tuple(dict.fromkeys([*flags, *_not_finite(numbers), *_not_finite(derived_numbers)])),
        artifacts=names,
        files={name: fact_of(out / path) for name, path in names.items()},
        code=code.files if code else {},
        code_digest=code.digest if code else "",
    )
    write_json(out / FILE, sealed(record.model_dump(mode="json")))
    return record


def read_record(path: Path) -> Record:
    """The record in ``path`` (a record.json, or the folder that holds it); InputError when it is missing, DamagedFile."""
    file = path / FILE if path.is_dir() else path
    value = read_json(file, REDO)
    checksum = value.pop(CHECKSUM, None) if isinstance(value, dict) else None
    try:
        record = Record.model_validate(value)
        if checksum != digest(value, 64) and (checksum is not None or record.files or record.code):
            raise ValueError(f"{CHECKSUM}: does not fit the rest, so something in it was changed")
        return record
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        reason = f"{where}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise DamagedFile(f"{file}: not a record: {reason}; {REDO}")


def made_by(folder: Path) -> str:
    """The digest of the code that made the record in a folder, without checking the rest; empty: unknown."""
    value = read_json(folder / FILE, REDO)
    return str(value.get("code_digest", "")) if isinstance(value, dict) else ""


def checked_file(record: Record, folder: Path, artifact: str) -> Path:
    """The path of an artifact in the record's folder, compared with its size and SHA-256 once a process.

    DamagedFile when it is missing or has changed; InputError when the record names no such artifact. Records that are
    older than the digests vouch for the name alone.
    """
    redo = repaired(record.stage, folder)
    if artifact not in record.artifacts:
        known = ", ".join(record.artifacts) or "none"
        raise InputError(f"{folder / FILE}: names no file '{artifact}' (it has: {known}); {redo}")
    return checked(folder / record.artifacts[artifact], record.files.get(artifact), redo)


def cut_off(record: Record, folder: Path) -> list[Path]:
    """The files of a record that are not there, or not of the size it names; their bytes are not read."""
    sizes = {folder / record.artifacts[name]: fact.bytes for name, fact in record.files.items()}
    return [path for path, size in sizes.items() if not path.is_file() or path.stat().st_size != size]


def vouched_file(record: Record, folder: Path, artifact: str, name: str) -> Path | None:
    """The file of an artifact, as ``checked_file``; of a record that does not name it, ``name`` in the folder or none."""
    if artifact in record.artifacts:
        return checked_file(record, folder, artifact)
    return folder / name if (folder / name).exists() else None


def now() -> str:
    """The current time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numpy and 0-d torch numbers as Python numbers."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if _is_bad(value) else value for name, value in values.items()}


def _not_finite(values: Mapping[str, Any]) -> list[str]:
    return [f"not_finite:{name}" for name, value in values.items() if _is_bad(value)]


def _is_bad(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _inside(out: Path, path: Path) -> str:
    """``path`` relative to ``out``."""
    full = path if path.is_absolute() or (not (out / path).exists() and path.exists()) else out / path
    assert full.exists(), f"artifact {full} was not written before the record"
    return full.resolve().relative_to(out.resolve()).as_posix()
