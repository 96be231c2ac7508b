"""The process of a study that asks for the longest time, told before it is submitted where no usual partition takes it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.durations import duration
from pipelines.spec.evaluation.parts import OnImages
from pipelines.spec.jobs import EvaluateSpec, RunSpec, TuneSpec
from pipelines.spec.plan import Plan
from pipelines.spec.speeds import Speeds
from pipelines.spec.units import Unit, units

HOURS = 48
"""What a process may ask for without being told of: the usual limits of partitions with GPUs are one and two days."""
PIECES = "set longest_minutes to your partition's limit, and it goes on from its checkpoints in pieces"


def longest(plan: Plan, results: Path, known: Mapping[str, int]) -> str:
    """A line on the process that asks for the longest time, and the way out; empty where none asks for over ``HOURS``.

    It is asked for one GPU, of what has no record yet. known: key of shards -> images of train, where they are not packed.
    """
    left = units(job for job in plan.jobs.values() if not job.done(results))
    speeds, workers = Speeds(plan.jobs.values(), results), plan.study.tuning.workers if plan.study.tuning else 1
    minutes, unit = _most((unit.resources(1, results, speeds, known, workers).minutes, unit) for unit in left)
    if unit is None or minutes <= 60 * HOURS:
        return ""
    others = f" and {len(unit.jobs) - 1} more" if len(unit.jobs) > 1 else ""
    named = f"{unit.stage} {plan.names[unit.jobs[0].place].told}{others}"
    return f"the longest process ({named}) asks for {duration(60 * minutes)} on one GPU: {_way_out(unit)} (docs/cluster.md)"


def _most(asked: Iterable[tuple[int, Unit]]) -> tuple[int, Unit | None]:
    """The first of the longest ones; 0 and none of nothing."""
    return max(asked, key=lambda each: each[0], default=(0, None))


def _way_out(unit: Unit) -> str:
    spec = unit.jobs[0].spec
    if isinstance(spec, TuneSpec):
        return PIECES
    if isinstance(spec, RunSpec) or (isinstance(spec, EvaluateSpec) and isinstance(spec.evaluation, OnImages)):
        return f"{PIECES}; or raise gpus_per_job, and it takes less"
    return "it does not run in pieces, so give its rule a partition that allows as much, by set-resources"
