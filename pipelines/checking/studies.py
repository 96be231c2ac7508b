"""All that the results of a study hold: plan, jobs, kept features, report."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.advice import plan_again
from pipelines.artifacts import forget
from pipelines.checking.fault import Fault, Tick, fault
from pipelines.checking.jobs import faults_of_job
from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation.features import Features
from pipelines.files import read_sealed
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.layout import features_file, made_from_file, written_plan
from pipelines.spec.pending import changed_pages
from pipelines.spec.plan import Plan


def faults(plan: Plan, results: Path, tick: Tick) -> Iterator[Fault]:
    """Every fault of a study's results, in the order of its jobs. Every byte is read, whatever was read before."""
    forget()
    yield from _plan(plan, results)
    for job in plan.jobs.values():
        yield from faults_of_job(job, results, tick)
    yield from _features(plan, results, tick)
    yield from _report(plan, results)


def _plan(plan: Plan, results: Path) -> Iterator[Fault]:
    path = written_plan(results, plan.study.name)
    if not path.exists():
        return
    try:
        if (study := read_sealed(path, plan_again(results)).get("study")) != plan.study.name:
            raise DamagedFile(f"{path}: is the plan of the study {study}; {plan_again(results)}")
    except InputError as error:
        yield fault("plan", path, error)


def _features(plan: Plan, results: Path, tick: Tick) -> Iterator[Fault]:
    names = {job.spec.features_key(job.inputs) for job in plan.jobs.values() if isinstance(job.spec, EvaluateSpec)}
    for path in sorted(features_file(results, name) for name in names):
        if path.exists():
            try:
                Features.load(path, path.stem)
            except InputError as error:
                yield fault("cache", path, error)
            tick(path.stat().st_size)


def _report(plan: Plan, results: Path) -> Iterator[Fault]:
    """The page, tables and figures as they were written; those of an older state are made anew by the next run."""
    for path in changed_pages(plan, results):
        told = (
            f"{path}: is missing or was changed after it was written; delete {made_from_file(results, plan.study.name)}"
        )
        yield fault("report", path, DamagedFile(f"{told}, and the next run makes the report anew"))
