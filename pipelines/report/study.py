"""A study as the report sees it: the planned jobs, each with its record once it has finished."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.records import FILE, Record, read_record

FLOORS = {"pixels": "raw pixels", "untrained": "untrained encoder"}
"""What an evaluation is measured against, by the ``source`` of its features."""


@dataclass(frozen=True)
class Job:
    """A planned job. ``record`` is None while the job has not finished; ``folder`` is where its outputs lie."""

    stage: str
    key: str
    given_label: str
    spec: dict[str, Any]
    inputs: dict[str, str]
    folder: Path
    record: Record | None

    @property
    def label(self) -> str:
        """What tables call it: the method's label with its grid point, or the floor's name."""
        label = self.given_label or FLOORS.get(self.source, "")
        return label.removesuffix(" (tuning)") if self.stage == "tune" else label

    @property
    def source(self) -> str:
        """pretrain, untrained or pixels."""
        source = self.spec.get("source")
        return str(source["use"]) if source else "pretrain"

    @property
    def dataset(self) -> str:
        """What the data set is called in tables."""
        return dataset_name(self.spec.get("dataset", {}))

    @property
    def seed(self) -> int | None:
        """The seed, None for jobs without one."""
        seed = self.spec.get("seed")
        return None if seed is None else int(seed)

    @property
    def flags(self) -> tuple[str, ...]:
        """The record's flags; empty while there is no record."""
        return self.record.flags if self.record else ()


@dataclass(frozen=True)
class Study:
    """A plan with what is done of it."""

    name: str
    question: str
    jobs: tuple[Job, ...]

    def stage(self, *names: str) -> list[Job]:
        """The jobs of these stages, in the plan's order."""
        return [job for job in self.jobs if job.stage in names]

    def line(self, job: Job) -> list[Job]:
        """The job and all it was made from, nearest first (evaluate, embed, pretrain, shards)."""
        by_key = {each.key: each for each in self.jobs}
        found: dict[str, Job] = {}
        waiting = [job]
        while waiting:
            current = waiting.pop(0)
            if current.key not in found:
                found[current.key] = current
                waiting += [by_key[key] for key in current.inputs.values() if key in by_key]
        return list(found.values())

    def pretraining(self, job: Job) -> Job | None:
        """The pretraining an evaluation rests on; None for a floor."""
        return next((each for each in self.line(job) if each.stage == "pretrain"), None)


def load_study(plan: Path, results: Path) -> Study:
    """Read ``plan`` (a plan.json) and the records there are under ``results/jobs/STAGE/KEY``.

    Raises InputError when the plan lacks a field, or when a record is not of the job whose folder it lies in.
    """
    value = read_json(plan)
    if not isinstance(value, dict):
        raise InputError(
            f"{plan}: must be an object with study, question and jobs; write it anew by planning the study"
        )
    for name in ("study", "question", "jobs"):
        if name not in value:
            raise InputError(f"{plan}: {name} is missing; write it anew by planning the study")
    jobs = tuple(_job(plan, number, job, results) for number, job in enumerate(value["jobs"]))
    _refuse_twins(plan, jobs)
    return Study(str(value["study"]), str(value["question"]), jobs)


def dataset_name(dataset: Any) -> str:
    """The name of a resolved data set spec, as in keys: its own name, else its kind, with its limit."""
    if isinstance(dataset, str):
        return dataset
    name = str(dataset.get("name") or dataset.get("use") or "")
    return f"{name}-{dataset['limit']}" if dataset.get("limit") else name


def _job(plan: Path, number: int, job: dict[str, Any], results: Path) -> Job:
    for name in ("stage", "key", "spec", "inputs"):
        if name not in job:
            raise InputError(f"{plan}: jobs[{number}].{name} is missing; write it anew by planning the study")
    folder = results / "jobs" / job["stage"] / job["key"]
    record = read_record(folder) if (folder / FILE).exists() else None
    if record and (record.key, record.stage) != (job["key"], job["stage"]):
        raise InputError(
            f"{folder / FILE}: is the record of {record.stage} {record.key}, not of {job['stage']} {job['key']}; "
            "delete the folder and run the job again"
        )
    return Job(job["stage"], job["key"], str(job.get("label", "")), job["spec"], job["inputs"], folder, record)


def _refuse_twins(plan: Path, jobs: Iterable[Job]) -> None:
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        place = (job.stage, job.key)
        if place in seen:
            raise InputError(
                f"{plan}: two {job.stage} jobs have the key {job.key}; write it anew by planning the study"
            )
        seen.add(place)
