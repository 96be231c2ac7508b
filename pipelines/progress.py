"""Where a study stands, from its jobs' folders alone: at any time, on any machine that sees them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import history, lease, locks
from pipelines.spec.job import Job, Place
from pipelines.spec.jobs import PretrainSpec, ShardsSpec
from pipelines.spec.layout import LOCK, logs_folder
from pipelines.spec.price import Prices

TAIL = 6
"""Lines of a log that are shown of a job that ended without a record."""


ERRORS = ("error:", "Traceback ")
"""How a line begins after which a job has failed; one that was asked to end, or killed, has not."""
TOKEN = re.compile(r"[A-Za-z0-9_.-]+-[0-9a-f]{8}(?![0-9a-f])")
"""What a line may name a job by."""


@dataclass(frozen=True)
class Stage:
    """One stage of a study.

    running  jobs that a process works on
    failed   jobs that nobody works on, whose log ends with an error
    seconds  what all without a record cost, one after the other
    """

    name: str
    jobs: int
    done: int
    running: int
    failed: int
    seconds: float

    @property
    def left(self) -> int:
        """Those that nobody has taken up."""
        return self.jobs - self.done - self.running - self.failed


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

    place: Place
    log: Path
    lines: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return any(line.startswith(ERRORS) for line in self.lines)


def stages(
    jobs: Iterable[Job], results: Path, prices: Prices, busy: Collection[Job], ended: Collection[StoppedJob]
) -> list[Stage]:
    """Every stage, in the order of the jobs. busy, ended: as ``at_work`` and ``stopped`` found them."""
    taken = Counter(job.stage for job in busy)
    failed = Counter(job.place[0] for job in ended if job.failed)
    of: dict[str, list[Job]] = {}
    for job in jobs:
        of.setdefault(job.stage, []).append(job)
    found = []
    for name, members in of.items():
        left = [job for job in members if not job.done(results)]
        seconds = sum(prices.price(job.spec).seconds for job in left)
        done = len(members) - len(left)
        found.append(Stage(name, len(members), done, taken[name], failed[name], seconds))
    return found


def at_work(jobs: Iterable[Job], results: Path) -> list[Job]:
    """The jobs that a process works on now, on whatever machine, as far as their folders tell."""
    return [job for job in jobs if not job.done(results) and _is_taken(job, job.folder(results))]


def _is_taken(job: Job, folder: Path) -> bool:
    if isinstance(job.spec, ShardsSpec):
        return locks.is_held(folder / LOCK)
    return lease.is_taken(folder) or history.being_written(folder / history.FILE)


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


def stopped(jobs: Iterable[Job], results: Path, busy: Collection[Job]) -> list[StoppedJob]:
    """Jobs without a record that a log speaks of and that nobody works on, each with what its last log says of it."""
    planned, taken = {job.place: job for job in jobs}, {job.place for job in busy}
    found: dict[Place, StoppedJob] = {}
    for log in sorted(logs_folder(results).glob("*/*.log"), key=lambda path: path.stat().st_mtime):
        for place, lines in _told(log, planned).items():
            if place not in taken and not planned[place].done(results):
                found[place] = StoppedJob(place, log, tuple(lines[-TAIL:]))
    return list(found.values())


def _told(log: Path, planned: Mapping[Place, Job]) -> dict[Place, list[str]]:
    """What a log says of each job: from a line that names it to the next that names another; before, of the one in its name."""

    def named(text: str) -> Place | None:
        return next((each for key in TOKEN.findall(text) if (each := (log.parent.name, key)) in planned), None)

    place, found = named(log.stem), dict[Place, list[str]]()
    for line in log.read_text(errors="replace").splitlines():
        place = named(line) or place
        if place and line.strip():
            found.setdefault(place, []).append(line)
    return found
