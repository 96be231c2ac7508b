"""A plan on disk: every job's spec.json, and the study's plan.json."""

from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import read_json, sealed, write_json
from pipelines.spec.folder import open_job
from pipelines.spec.job import Job
from pipelines.spec.layout import spec_file, written_plan
from pipelines.spec.plan import Plan


def write_specs(plan: Plan, results: Path) -> int:
    """Write the spec.json of every job that has none or a damaged one, and plan.json; the number of specs written."""
    written = sum(write_spec(job, results) for job in plan.jobs.values())
    path, dump = written_plan(results, plan.study.name), sealed(plan.dump())
    if _found(path) != dump:
        write_json(path, dump)
    return written


def write_spec(job: Job, results: Path) -> bool:
    """Write one job's spec.json unless one of its key is there (equal keys mean equal content); whether it was written."""
    path = spec_file(results, job.stage, job.key)
    spec = job.spec.model_dump(mode="json")
    wanted = {"stage": job.stage, "key": job.key, "inputs": job.inputs, "spec": spec}
    found = _found(path)
    if found == wanted or (found is not None and _is_of(path.parent, job)):
        return False
    write_json(path, wanted, durable=False)
    return True


def _found(path: Path) -> Any:
    """What a JSON file holds; none where it is missing or cut."""
    try:
        return read_json(path)
    except InputError:
        return None


def _is_of(folder: Path, job: Job) -> bool:
    """Whether the folder's spec gives the job's key, though it may be told to run in another way."""
    try:
        return open_job(folder, type(job.spec)).key == job.key
    except InputError:
        return False
