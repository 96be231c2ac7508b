"""Stage status: where studies stand, what runs, what stopped and why, and how much work is left."""

from pathlib import Path

from pipelines.durations import duration
from pipelines.masking import masked
from pipelines.progress import Stage, StoppedJob, running, stages, stopped
from pipelines.spec.plan import plan_file
from pipelines.spec.price import Prices
from pipelines.watching.lines import training


def run(studies: list[Path], results: Path) -> None:
    """Print it from the records, whether or not a run is going on."""
    for path in studies:
        made = plan_file(path)
        jobs = list(made.jobs.values())
        found = stages(jobs, results, Prices.of(jobs, results))
        now, ended = running(jobs, results), stopped(jobs, results)
        print(f"{made.study.name}: {made.study.question}")
        for stage in found:
            print(f"  {_stage(stage)}")
        for one in now:
            print(f"  runs: {training(one)}")
        for job in ended:
            _print_stopped(job)
        print(f"  {_left(found, len(now))}")


def _stage(stage: Stage) -> str:
    left = f", {stage.left} to do ({duration(stage.seconds)} of work)" if stage.left else ""
    return f"{stage.name:9} {stage.done} of {stage.jobs} done{left}"


def _print_stopped(job: StoppedJob) -> None:
    print(f"  stopped without a result: {job.key} ({job.log})")
    for line in job.lines:
        print(f"    | {masked(line)}")


def _left(found: list[Stage], at_once: int) -> str:
    seconds = sum(stage.seconds for stage in found)
    if not any(stage.left for stage in found):
        return "everything is done"
    text = f"left: {duration(seconds)} of work, one job after the other"
    if at_once > 1:
        text += f"; about {duration(seconds / at_once)} with {at_once} trainings at once"
    return text + "; the same command of Snakemake goes on, and does what stopped again"
