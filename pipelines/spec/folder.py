"""The folder of a job: its spec.json at the start, its record.json at the end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.spec.job import INPUT_STAGE, Job
from pipelines.spec.jobs import JobSpec
from pipelines.spec.parse import parse
from pipelines.spec.plan import Plan

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


def write_specs(plan: Plan, results: Path) -> int:
    """Write the spec.json of every job that has none, and the study's plan.json; the number of specs written."""
    written = sum(write_spec(job, results) for job in plan.jobs.values())
    path, dump = results / plan.study.name / "plan.json", plan.dump()
    if not path.exists() or read_json(path) != dump:
        write_json(path, dump)
    return written


def write_spec(job: Job, results: Path) -> bool:
    """Write one job's spec.json unless it is there (equal keys mean equal content); whether it was written."""
    path = job.folder(results) / "spec.json"
    if path.exists():
        return False
    spec = job.spec.model_dump(mode="json")
    write_json(path, {"stage": job.stage, "key": job.key, "inputs": job.inputs, "spec": spec}, durable=False)
    return True


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
