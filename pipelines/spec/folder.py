"""The folder of a job as its stage sees it: the spec.json that planning left, and what the job was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pipelines.advice import plan_again, typed
from pipelines.errors import DamagedFile, InputError
from pipelines.files import read_json
from pipelines.records import FILE, REDO, Record, read_record
from pipelines.spec.job import INPUT_STAGE, Job
from pipelines.spec.jobs import JobSpec
from pipelines.spec.layout import SPEC
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
        return (self.path / FILE).exists()

    @property
    def results(self) -> Path:
        """The results folder it lies in."""
        return self.path.parents[2]


def open_job(path: Path, kind: type[S]) -> JobFolder[S]:
    """Read ``path``/spec.json and make its key anew from what it says.

    InputError when it is missing or of another stage, DamagedFile when its content is not what its key was made from.
    """
    file = path / SPEC
    above = path.absolute().parents
    results = above[2] if len(above) > 2 else "RESULTS"  # a mistyped folder may lie right under the root
    rewrite = plan_again(results)
    data = read_json(file, rewrite)
    try:
        stage, key, inputs, content = (data[name] for name in ("stage", "key", "inputs", "spec"))
        folders = {name: path.parents[1] / INPUT_STAGE[name] / each for name, each in inputs.items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise DamagedFile(f"{file}: is no spec of a job ({error!r}); {rewrite}") from None
    if stage != kind.stage and stage in INPUT_STAGE.values():
        raise InputError(f"{file}: stage is {stage!r}; run: {typed(stage, '--job', path)}")
    try:
        spec: S = parse(kind, content, f"{file}: spec")
        made = Job.of(str(key).rpartition("-")[0], spec, inputs).key
    except InputError as error:
        raise DamagedFile(f"{error}; {rewrite}") from None
    if not stage == kind.stage or not made == key == path.absolute().name:
        raise DamagedFile(
            f"{file}: says it is {stage} {key}, but what it says is {kind.stage} {made}: it was changed, moved, or written by "
            f"an earlier program; {rewrite}"
        )
    return JobFolder(path, key, spec, inputs, folders)


def own_record(folder: Path) -> Record:
    """The record in a job's folder; DamagedFile when it is damaged, or of another job."""
    record, place = read_record(folder), (folder.absolute().parent.name, folder.absolute().name)
    if (record.stage, record.key) != place:
        raise DamagedFile(
            f"{folder / FILE}: is the record of {record.stage} {record.key}, not of {' '.join(place)}; {REDO}"
        )
    return record


def ready(job: JobFolder[S]) -> JobFolder[S]:
    """The same job; InputError when an input is not finished, DamagedFile when its record is damaged or another job's."""
    for name, folder in job.inputs.items():
        if not (folder / FILE).exists():
            stage = INPUT_STAGE[name]
            raise InputError(f"{job.path}: its input '{name}' is not finished; run: {typed(stage, '--job', folder)}")
        own_record(folder)
    return job
