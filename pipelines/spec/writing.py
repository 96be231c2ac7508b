"""A plan on disk: every job's spec.json, and the study's plan.json."""

from pathlib import Path

from pipelines.files import read_json, write_json
from pipelines.spec.job import Job
from pipelines.spec.layout import plan_file, spec_file
from pipelines.spec.plan import Plan


def write_specs(plan: Plan, results: Path) -> int:
    """Write the spec.json of every job that has none, and the study's plan.json; the number of specs written."""
    written = sum(write_spec(job, results) for job in plan.jobs.values())
    path, dump = plan_file(results, plan.study.name), plan.dump()
    if not path.exists() or read_json(path) != dump:
        write_json(path, dump)
    return written


def write_spec(job: Job, results: Path) -> bool:
    """Write one job's spec.json unless it is there (equal keys mean equal content); whether it was written."""
    path = spec_file(results, job.stage, job.key)
    if path.exists():
        return False
    spec = job.spec.model_dump(mode="json")
    write_json(path, {"stage": job.stage, "key": job.key, "inputs": job.inputs, "spec": spec}, durable=False)
    return True
