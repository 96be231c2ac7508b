"""Records: what a finished job was, what it ran on and what came out, as one record.json.

A record is written last and in one move, so a job is finished exactly when its record exists. Records are the only
truth: MLflow, tables and figures are derived from them and may be deleted.
"""

import functools
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import InputError
from pipelines.files import read_json, write_json

FILE = "record.json"
_WATCHED = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "webdataset",
    "optuna",
    "mlflow",
)


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
    flags: Iterable[str] = (),
    artifacts: Mapping[str, str | Path] | None = None,
    started: str,
) -> Record:
    """Write ``out/record.json`` in one move, as the very last thing a job does, and return the record.

    ``metrics`` and ``derived`` may hold Python, numpy or 0-d torch numbers. NaN and infinities are stored as null and
    named in the flags (``not_finite:NAME``). ``device``: none is this machine's CPU. ``started``: ``now()`` at the
    job's start. ``artifacts``: paths inside ``out``, relative to it or not; each must exist.
    """
    numbers, derived_numbers = _plain(metrics), _plain(derived or {})
    commit, dirty = git_state()
    record = Record(
        key=key,
        stage=stage,
        spec=dict(spec),
        inputs=dict(inputs),
        metrics=_finite(numbers),
        derived=_finite(derived_numbers),
        seconds=float(seconds),
        images_per_second=None if images_per_second is None else float(images_per_second),
        started=started,
        finished=now(),
        versions=versions(),
        commit=commit,
        dirty=dirty,
        device=device or cpu_name(),
        flags=tuple(dict.fromkeys([*flags, *_not_finite(numbers), *_not_finite(derived_numbers)])),
        artifacts={name: _inside(out, Path(path)) for name, path in (artifacts or {}).items()},
    )
    write_json(out / FILE, record.model_dump(mode="json"))
    return record


def read_record(path: Path) -> Record:
    """The record in ``path`` (a record.json, or the folder that holds it); InputError when it is missing or damaged."""
    file = path / FILE if path.is_dir() else path
    value = read_json(file)
    try:
        return Record.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise InputError(
            f"{file}: not a record: {where}: {first['msg']}; delete the file and run its job again"
        ) from None


def now() -> str:
    """The current time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the watched packages that are imported by now; imports nothing."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in _WATCHED}
    return {"python": platform.python_version()} | {name: str(value) for name, value in found.items() if value}


@functools.cache
def git_state() -> tuple[str, bool]:
    """(commit, dirty) of this package's checkout, read once a process; ("unknown", False) where there is none."""
    folder = Path(__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # not some other repository round a .venv
        return _git(folder, "rev-parse", "HEAD").strip(), bool(_git(folder, "status", "--porcelain", "--", ".").strip())
    except (OSError, subprocess.SubprocessError):
        return "unknown", False


def _git(folder: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, env=inherited, capture_output=True, text=True, check=True, timeout=20).stdout


@functools.cache
def cpu_name() -> str:
    """The CPU's model name, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown CPU"


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
