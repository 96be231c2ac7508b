"""The folder of a job as its stage sees it: the spec.json that planning left, and what the job was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.spec.job import INPUT_STAGE
from pipelines.spec.jobs import JobSpec
from pipelines.spec.parse import parse

S = TypeVar("S", bound=JobSpec)


@dataclass(frozen=True)
class JobFolder(Generic[S]):
    """A job as its stage sees it. ``inputs``: name -> folder of the finished job that made it."""

    path: Path
    key: str
    spec: S
    input_keys: dict[str, str]
    inputs: dict[str, Path]

    @property
    def done(self) -> bool:
        """Whether its record exists."""
        return (self.path / "record.json").exists()

    @property
    def results(self) -> Path:
        """The results folder it lies in."""
        return self.path.parents[2]


def open_job(path: Path, kind: type[S]) -> JobFolder[S]:
    """Read ``path``/spec.json; InputError when it is missing or damaged, or is of another stage."""
    file = path / "spec.json"
    data = read_json(file)
    stage = data.get("stage") if isinstance(data, dict) else None
    if stage != kind.stage:
        raise InputError(f"{file}: stage is {stage!r}; run: python -m pipelines {stage} --job {path}")
    inputs = {name: path.parents[1] / INPUT_STAGE[name] / key for name, key in data["inputs"].items()}
    return JobFolder(path, data["key"], parse(kind, data["spec"], f"{file}: spec"), data["inputs"], inputs)


def ready(job: JobFolder[S]) -> JobFolder[S]:
    """The same job; InputError when an input is not finished."""
    for name, folder in job.inputs.items():
        if not (folder / "record.json").exists():
            stage = INPUT_STAGE[name]
            raise InputError(
                f"{job.path}: its input '{name}' is not finished; run: python -m pipelines {stage} --job {folder}"
            )
    return job
