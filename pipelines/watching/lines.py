"""How a run's state is told: some lines for a terminal, or one for a log."""

from pipelines.durations import duration
from pipelines.progress import Running
from pipelines.watching.run import Now, StageNow

SHOWN = 4
"""Trainings that are named; of the others the number is told."""


def block(now: Now, word: str = "running") -> str:
    """A line a stage, a line a training, and the time left."""
    lines = [f"{stage.name:9} {_counts(stage, word)}" for stage in now.stages]
    lines += [f"{'trains':9} {training(one)}" for one in now.trainings[:SHOWN]]
    return "\n".join([*lines, *_others(now), _left(now)])


def line(now: Now, word: str = "running") -> str:
    """All of it in one line."""
    stages = [f"{stage.name} {_counts(stage, word)}" for stage in now.stages]
    return "; ".join([*stages, *map(training, now.trainings[:SHOWN]), *_others(now), _left(now)])


def training(one: Running) -> str:
    """Which it is, how far it is, how fast."""
    where = f"step {one.step}" if one.epoch is None else f"epoch {min(one.epoch, one.epochs):.1f} of {one.epochs}"
    return f"{one.key}, {where}" + (f", {one.speed:,.0f} images/s" if one.speed else "")


def _counts(stage: StageNow, word: str) -> str:
    text = f"{stage.done} of {stage.jobs} done"
    counts = ((stage.running, word), (stage.left, "left"), (stage.failed, "failed"))
    return ", ".join([text, *(f"{count} {name}" for count, name in counts if count)])


def _others(now: Now) -> list[str]:
    others = len(now.trainings) - SHOWN
    speed = sum(one.speed or 0.0 for one in now.trainings)
    return [f"and {others} more trainings, {speed:,.0f} images/s in all"] if others > 0 else []


def _left(now: Now) -> str:
    if all(stage.done == stage.jobs for stage in now.stages):
        return "all jobs are done, the report comes next"
    if now.seconds is None:
        return "time left: not known while nothing runs"
    time = f"about {duration(now.seconds)}" if now.seconds >= 60 else "less than a minute"
    return f"{time} left" + (", a guess until more is measured" if now.guessed else "")
