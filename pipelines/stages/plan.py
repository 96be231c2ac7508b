"""Stage plan: print the jobs of studies in an order in which they run, each with its command and whether it is done."""

from pathlib import Path

from pipelines.code import changed
from pipelines.records import read_record
from pipelines.spec.job import Job
from pipelines.spec.made_by import code_of
from pipelines.spec.pending import is_changed
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.units import Unit, units
from pipelines.spec.writing import write_specs


def run(studies: list[Path], results: Path, write: bool = False, counts: bool = False) -> None:
    """Print the plan of one or more studies; ``write``: also the jobs' spec.json, after which every line can be run."""
    for path in studies:
        made = plan_file(path)
        if write:
            write_specs(made, results)
        print(f"# {path}: {made.study.question}")
        _print_counts(made, results)
        for label, notes in made.notes.items():
            print(f"# {label}: {'; '.join(notes)}")
        for unit in () if counts else units(made.jobs.values()):
            _print_unit(unit, made, results)


def _print_counts(made: Plan, results: Path) -> None:
    for stage in dict.fromkeys(job.stage for job in made.jobs.values()):
        jobs = made.of(stage)
        done = sum(job.done(results) for job in jobs)
        print(f"# {stage}: {len(jobs)} jobs, {done} done")


def _state(job: Job, results: Path) -> str:
    if not job.done(results):
        return "to do"
    if not is_changed(job, results):
        return "done"
    record = read_record(job.folder(results))
    return f"done by other code ({', '.join(changed(record.code, code_of(job.spec).files))}): "


def _print_unit(unit: Unit, made: Plan, results: Path) -> None:
    for job in unit.jobs:
        print(f"{_state(job, results):5}  {made.labels[job.place]}: {job.key}")
    print(f"       {unit.command(results)}")
