"""What a plan still costs, in lines: time on the machine of the earlier records, GPU hours, and disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.durations import duration
from pipelines.spec.contents import Contents
from pipelines.spec.disk import running_bytes
from pipelines.spec.earlier import earlier
from pipelines.spec.foretold import counted
from pipelines.spec.job import Job
from pipelines.spec.jobs import RunSpec
from pipelines.spec.plan import Plan
from pipelines.spec.price import ASSUMED, Prices
from pipelines.spec.resources import CORE_GFLOPS, GPU_GFLOPS, PACKED

MEANING = (
    "measured: by jobs of the same work, in any study of the results folder; scaled: by other jobs of the sort, by their work; "
    f"assumed: {CORE_GFLOPS:g} billion multiply-adds a second on one core, {PACKED:g} s an image that is packed and at least "
    f"{ASSUMED:g} s a job; the GPU: {GPU_GFLOPS:g} billion a second (pipelines/spec/resources.py); disk: pipelines/spec/disk.py"
)
"""What the words of a price mean."""
LARGE = 1_000 * 3_600.0
"""Seconds of work on one core from which on nobody would do it there, and the time of a GPU is told first."""


def cost_lines(made: Plan, results: Path, contents: Mapping[str, Contents]) -> list[str]:
    """Of what has no record yet, by stage and in all."""
    prices = Prices.of(made.jobs.values(), results, counted(made, contents), earlier(results, made.jobs))
    left = [job for job in made.jobs.values() if not job.done(results)]
    stages = dict.fromkeys(job.stage for job in made.jobs.values())
    lines = [_stage(stage, [job for job in left if job.stage == stage], prices) for stage in stages]
    lines += [
        f"#   {label}: training {duration(seconds)} on one H100-class GPU"
        for label, seconds in _by_row(made, left, prices).items()
    ]
    lines += [f"# while a training runs: {size(most)} of checkpoints more"] if (most := _running(left)) else []
    return [*lines, _all(left, prices), f"# {MEANING}"]


def size(count: float) -> str:
    """Bytes in words: ``12.3 MB``, ``1,203.4 GB``."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _stage(stage: str, left: list[Job], prices: Prices) -> str:
    text = f"# {stage}: {len(left):,} job{'' if len(left) == 1 else 's'} to do"
    if not left:
        return text
    priced: dict[str, float] = {}
    disk: dict[str, float] = {}
    for job in left:
        price, (count, source) = prices.price(job.spec), prices.bytes(job.spec)
        priced[price.source] = priced.get(price.source, 0.0) + price.seconds
        disk[source] = disk.get(source, 0.0) + count
    times = ", ".join(f"{duration(seconds)} {source}" for source, seconds in priced.items())
    sizes = ", ".join(f"{size(count)} {source}" for source, count in disk.items() if count)
    return f"{text}: {times}{f'; on disk: {sizes}' if sizes else ''}"


def _running(left: Iterable[Job]) -> float:
    """What the largest training takes beside what it leaves."""
    return max((running_bytes(job.spec) for job in left if isinstance(job.spec, RunSpec)), default=0.0)


def _all(left: list[Job], prices: Prices) -> str:
    total, gpu = sum(prices.price(job.spec).seconds for job in left), sum(prices.gpu_seconds(job.spec) for job in left)
    disk = size(sum(prices.bytes(job.spec)[0] for job in left))
    work = f"{duration(total)} of work, one job after the other"
    trained = f"training alone {duration(gpu)} on one H100-class GPU"
    if total < LARGE:
        return f"# all: {work}; {trained}; {disk} on disk"
    return f"# all: {trained}; {disk} on disk; without a GPU {work}"


def _by_row(made: Plan, left: Iterable[Job], prices: Prices) -> dict[str, float]:
    """Label -> seconds on the assumed GPU of its trainings that are left, all seeds together."""
    found: dict[str, float] = {}
    for job in left:
        if seconds := prices.gpu_seconds(job.spec):
            row = made.names[job.place].told
            found[row] = found.get(row, 0.0) + seconds
    return found
