"""Stage status: where studies stand, what runs, what stopped and why, how much work is left, and the way on."""

from collections.abc import Collection
from pathlib import Path

from pipelines.advice import typed
from pipelines.durations import duration
from pipelines.masking import masked
from pipelines.progress import Running, Stage, StoppedJob, at_work, running, stages, stopped
from pipelines.records import cut_off, read_record
from pipelines.spec.earlier import earlier
from pipelines.spec.job import INPUT_STAGE, Job
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.layout import TRIALS, job_folder, record_file
from pipelines.spec.plan import plan_file
from pipelines.spec.price import Prices
from pipelines.watching.lines import training


def run(studies: list[Path], results: Path) -> None:
    """Print it from the records, whether or not a run is going on."""
    for path in studies:
        made = plan_file(path)
        jobs = list(made.jobs.values())
        busy = at_work(jobs, results)
        ended = stopped(jobs, results, busy)
        found = stages(jobs, results, Prices.of(jobs, results, others=earlier(results, made.jobs)), busy, ended)
        trainings = {one.key: one for one in running(busy, results)}
        print(f"{made.study.name}: {made.study.question}")
        for stage in found:
            print(f"  {_stage(stage)}")
        for job in busy:
            print(f"  runs: {job.stage} {_running(job, trainings.get(job.key), results)}")
        for each in ended:
            _print_stopped(each)
        print(f"  {_left(found, len(busy))}")
        if damaged := _damaged(jobs, results):
            _print_damaged(damaged, path, results)
        elif any(stage.failed for stage in found):
            print(f"  the same command of Snakemake does again what failed; {_way_out(path, results)}")
        elif any(stage.left for stage in found) and not busy:
            print("  the same command of Snakemake goes on, and does what stopped again")


def _stage(stage: Stage) -> str:
    counts = ((stage.running, "running"), (stage.left, "left"), (stage.failed, "failed"))
    text = ", ".join([f"{stage.done} of {stage.jobs} done", *(f"{count} {name}" for count, name in counts if count)])
    work = f" ({duration(stage.seconds)} of work)" if stage.done < stage.jobs else ""
    return f"{stage.name:9} {text}{work}"


def _running(job: Job, one: Running | None, results: Path) -> str:
    """Which it is; of a training where it is and how fast, of a search how many trials have begun."""
    if one:
        return training(one)
    if isinstance(job.spec, TuneSpec):
        begun = sum(path.is_dir() for path in (job.folder(results) / TRIALS).glob("*"))
        return f"{job.key}, {begun} of {job.spec.search.trainings} trials begun"
    return job.key


def _print_stopped(job: StoppedJob) -> None:
    stage, key = job.place
    print(f"  {'failed' if job.failed else 'stopped without a result'}: {stage} {key} ({job.log})")
    for line in job.lines:
        print(f"    | {masked(line)}")


def _left(found: list[Stage], at_once: int) -> str:
    seconds = sum(stage.seconds for stage in found)
    if all(stage.done == stage.jobs for stage in found):
        return "everything is done"
    text = f"left: {duration(seconds)} of work, one job after the other"
    return text + (f"; about {duration(seconds / at_once)} with {at_once} jobs at once" if at_once > 1 else "")


def _damaged(jobs: Collection[Job], results: Path) -> list[Path]:
    """Files that jobs without a record need, and that are not there or not as long as they were: no run can go on with them."""
    needed = {(INPUT_STAGE[name], key) for job in jobs if not job.done(results) for name, key in job.inputs.items()}
    folders = [job_folder(results, *place) for place in sorted(needed) if record_file(results, *place).exists()]
    return [path for folder in folders for path in cut_off(read_record(folder), folder)]


def _print_damaged(damaged: list[Path], study: Path, results: Path) -> None:
    print(f"  damaged: {', '.join(map(str, damaged))}")
    print(
        f"  {typed('repair', study, '--results', results)} sets that aside; after it the same command of Snakemake goes on"
    )


def _way_out(study: Path, results: Path) -> str:
    return f"where it fails for a damaged file, {typed('repair', study, '--results', results)} sets that aside before"
