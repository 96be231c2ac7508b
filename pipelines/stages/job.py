"""The folder of a job: its spec.json at the start, its record.json at the end."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.spec.job import INPUT_STAGE, Job

if TYPE_CHECKING:
    from pipelines.spec.plan import Plan


@dataclass(frozen=True)
class JobFolder:
    """A job as its stage sees it. ``inputs``: name -> folder of the finished job that made it."""

    path: Path
    key: str
    spec: dict[str, Any]
    input_keys: dict[str, str]
    inputs: dict[str, Path]


def write_specs(plan: "Plan", results: Path) -> int:
    """Write the spec.json of every job that has none, and the study's plan.json; the number of specs written."""
    written = 0
    for job in plan.jobs.values():
        written += write_spec(job, results)
    path, dump = results / plan.study.name / "plan.json", plan.dump()
    if not path.exists() or read_json(path) != dump:
        write_json(path, dump)
    return written


def write_spec(job: Job, results: Path) -> bool:
    """Write one job's spec.json unless it is there (equal keys mean equal content); whether it was written."""
    path = job.folder(results) / "spec.json"
    if path.exists():
        return False
    write_json(path, {"stage": job.stage, "key": job.key, "inputs": job.inputs, "spec": job.spec}, durable=False)
    return True


def parser(stage: str, description: str) -> argparse.ArgumentParser:
    """The arguments every job has."""
    result = argparse.ArgumentParser(prog=f"python -m pipelines {stage}", description=description)
    result.add_argument(
        "--job", type=Path, required=True, help="the job's folder, with spec.json inside (results/jobs/STAGE/KEY)"
    )
    return result


def open_job(path: Path, stage: str) -> JobFolder:
    """Read ``path``/spec.json; InputError when it is missing, is of another stage, or an input is not finished."""
    data = read_json(path / "spec.json")
    if data.get("stage") != stage:
        raise InputError(
            f"{path / 'spec.json'}: stage is {data.get('stage')!r}; run: python -m pipelines {data.get('stage')} --job {path}"
        )
    inputs = {name: path.parents[1] / INPUT_STAGE[name] / key for name, key in data["inputs"].items()}
    for name, folder in inputs.items():
        if not (folder / "record.json").exists():
            raise InputError(
                f"{path}: its input '{name}' is not finished; run: python -m pipelines {INPUT_STAGE[name]} --job {folder}"
            )
    return JobFolder(path, data["key"], data["spec"], data["inputs"], inputs)
