"""Where a study stands, from its jobs' folders alone: at any time, on any machine that sees them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import history
from pipelines.spec.job import Job
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.layout import logs_folder
from pipelines.spec.price import Prices

TAIL = 6
"""Lines of a log that are shown of a job that ended without a record."""


@dataclass(frozen=True)
class Stage:
    """One stage of a study.

    left     jobs without a record
    seconds  what the left ones cost, one after the other
    """

    name: str
    jobs: int
    done: int
    seconds: float

    @property
    def left(self) -> int:
        return self.jobs - self.done


@dataclass(frozen=True)
class Running:
    """A training that a live process writes.

    epoch    of the last reading, from 0 on; None where planning does not know the number of images
    speed    images a second between the last two readings; None before the second
    whole    seconds of all epochs at this speed; None where speed or images are not known
    """

    key: str
    step: int
    epoch: float | None
    epochs: int
    speed: float | None
    whole: float | None = None

    @property
    def share(self) -> float:
        """The part that is behind it, 0 where that is not known."""
        return min(1.0, self.epoch / self.epochs) if self.epoch is not None else 0.0


@dataclass(frozen=True)
class StoppedJob:
    """A job without a record whose process has ended and said something."""

    key: str
    log: Path
    lines: tuple[str, ...]


def stages(jobs: Iterable[Job], results: Path, prices: Prices) -> list[Stage]:
    """Every stage, in the order of the jobs."""
    of: dict[str, list[Job]] = {}
    for job in jobs:
        of.setdefault(job.stage, []).append(job)
    found = []
    for name, members in of.items():
        left = [job for job in members if not job.done(results)]
        seconds = sum(prices.price(job.spec).seconds for job in left)
        found.append(Stage(name, len(members), len(members) - len(left), seconds))
    return found


def running(jobs: Iterable[Job], results: Path) -> list[Running]:
    """The trainings that go on now. One on another machine counts until half an hour after its last reading."""
    found = []
    for job in jobs:
        path = job.folder(results) / history.FILE
        if isinstance(job.spec, PretrainSpec) and not job.done(results) and history.being_written(path):
            found.append(_running(job.key, job.spec, history.last(path)))
    return found


def _running(key: str, spec: PretrainSpec, points: list[history.Point]) -> Running:
    step = points[-1].step + 1 if points else 0
    images, batch = spec.dataset.pretraining_images or spec.dataset.limit, spec.training.batch_size
    epoch = step * batch / images if images else None
    readings = sorted({point.step: point.time for point in points}.items())[-2:]
    speed = None
    if len(readings) == 2 and readings[1][1] > readings[0][1]:
        speed = 1000 * batch * (readings[1][0] - readings[0][0]) / (readings[1][1] - readings[0][1])
    whole = spec.training.epochs * images / speed if images and speed else None
    return Running(key, step, epoch, spec.training.epochs, speed, whole)


def stopped(jobs: Iterable[Job], results: Path) -> list[StoppedJob]:
    """Jobs without a record that a log speaks of and that nobody works on, each with what its last log says of it."""
    waiting = {job.key: job for job in jobs if not job.done(results)}
    found: dict[str, StoppedJob] = {}
    for log in sorted(logs_folder(results).glob("*/*.log"), key=lambda path: path.stat().st_mtime):
        text = log.read_text(errors="replace") if log.stat().st_size else ""
        for key, lines in _told(log, text, waiting).items():
            if not history.being_written(waiting[key].folder(results) / history.FILE):
                found[key] = StoppedJob(key, log, tuple(lines[-TAIL:]))
    return list(found.values())


def _told(log: Path, text: str, waiting: Mapping[str, Job]) -> dict[str, list[str]]:
    """Of every unfinished job that a log names, the lines up to those that it says of the next; else the one in its name."""
    lines = [line for line in text.splitlines() if line.strip()]
    named = [key for key, job in waiting.items() if log.parent.name == job.stage and key in text]
    if not named:
        first = log.stem.rsplit(".", 1)[0] if log.stem not in waiting else log.stem
        return {first: lines} if lines and first in waiting else {}
    last = sorted((max(i for i, line in enumerate(lines) if key in line), key) for key in named)
    ends = [*(start for start, _ in last[1:]), len(lines)]
    begins = [0, *(end for end in ends[:-1])]
    return {key: lines[begin:end] for (_, key), begin, end in zip(last, begins, ends)}
