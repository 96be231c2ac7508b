"""How far a run is: jobs done, running, left and failed by stage, what is trained now, and the time that is left."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import Problem
from pipelines.progress import Running, running
from pipelines.records import read_record
from pipelines.spec.job import Job, Place
from pipelines.spec.jobs import JobSpec
from pipelines.spec.price import Kind, Price, Prices, kind_of
from pipelines.spec.units import Unit

START = 4.0
"""Seconds that a process takes before it works, on a machine that does nothing else; what it takes here corrects itself."""


@dataclass(frozen=True)
class StageNow:
    """The jobs of one stage. running: those that a process works on, or that stand in a cluster's queue."""

    name: str
    jobs: int
    done: int
    running: int
    failed: int

    @property
    def left(self) -> int:
        return max(0, self.jobs - self.done - self.running - self.failed)


@dataclass(frozen=True)
class Now:
    """One look at a run.

    seconds  until the end, by what was measured; None before anything can be said
    guessed  whether most of what is left is of a kind of which nothing has been measured yet
    """

    stages: tuple[StageNow, ...]
    trainings: tuple[Running, ...]
    seconds: float | None
    guessed: bool


class WatchedRun:
    """Keeps count between two looks, each of which opens only the folders of what is under way or has just ended."""

    def __init__(self, jobs: Iterable[Job], units: Iterable[Unit], results: Path) -> None:
        """jobs: all of the run's studies; units: those that have to run."""
        jobs, self._units = list(jobs), list(units)
        self._results = results
        self._left: dict[Place, Job] = {job.place: job for unit in self._units for job in unit.jobs}
        self._all = Counter(job.stage for job in jobs)
        self._waiting = Counter(stage for stage, _ in self._left)
        self._failed: dict[Place, Job] = {}
        self._kinds: dict[Place, Kind] = {place: kind_of(job.spec) for place, job in self._left.items()}
        self._of_kind = Counter(self._kinds.values())
        self._sample: dict[Kind, JobSpec] = {self._kinds[place]: job.spec for place, job in self._left.items()}
        self._prices = Prices.of((job for job in jobs if job.place not in self._left), results)
        self._spent = self._worked = 0.0
        self._unseen: dict[Unit, float] = {}

    def look(self, going: list[Unit], ended: Iterable[Unit], passed: float) -> Now:
        """Count anew. going, ended: as ``Events.look`` gives them; passed: seconds since the last look."""
        for unit in dict.fromkeys([*going, *ended]):
            self._count(unit, failed=unit not in going)
        trainings = running((job for unit in dict.fromkeys(going) for job in unit.jobs), self._results)
        self._spend(going, {each.key for each in trainings}, passed)
        seconds, guessed = self._time_left(trainings, len(going))
        return Now(self._stages(going), tuple(trainings), seconds, guessed)

    def _spend(self, going: list[Unit], shown: set[str], passed: float) -> None:
        """Seconds of units that show how far they are, or of which a job is done. Those of the others, such as a search of
        which one worker has ended, are not a cost of work yet, and those of failed ones never are."""
        for unit in going:
            self._unseen[unit] = self._unseen.get(unit, 0.0) + passed
        for unit in [*self._unseen]:
            if any(job.key in shown or job.place not in self._left for job in unit.jobs):
                self._spent += self._unseen.pop(unit)
            elif unit not in going and any(job.place in self._failed for job in unit.jobs):
                del self._unseen[unit]

    def _count(self, unit: Unit, failed: bool) -> None:
        for job in unit.jobs:
            self._failed.pop(job.place, None)
            if job.place in self._left and job.done(self._results):
                self._finish(job)
            elif job.place in self._left and failed:
                self._failed[job.place] = job

    def _finish(self, job: Job) -> None:
        del self._left[job.place]
        self._waiting[job.stage] -= 1
        self._of_kind[self._kinds[job.place]] -= 1
        try:
            self._prices.learn(job.spec, read_record(job.folder(self._results)))
        except Problem:
            return  # whoever needs the record will tell of it
        self._worked += self._prices.price(job.spec).seconds

    def _stages(self, going: list[Unit]) -> tuple[StageNow, ...]:
        at_work, failed = Counter(unit.stage for unit in going), Counter(stage for stage, _ in self._failed)
        return tuple(
            StageNow(name, count, count - (waiting := self._waiting[name]), min(at_work[name], waiting), failed[name])
            for name, count in self._all.items()
        )

    def _time_left(self, trainings: list[Running], processes: int) -> tuple[float | None, bool]:
        """Work that is left, times what a second of work has cost the processes so far, shared by those at work."""
        at_work = [(self._kinds[place], each) for each in trainings if (place := ("pretrain", each.key)) in self._left]
        here = {kind: each.whole for kind, each in at_work if each.whole}
        prices = {kind: self._price(kind, here.get(kind)) for kind, count in self._of_kind.items() if count}
        part = sum(prices[kind].seconds * each.share for kind, each in at_work)
        failed = sum(prices[self._kinds[place]].seconds for place in self._failed)
        total = {kind: price.seconds * self._of_kind[kind] for kind, price in prices.items()}
        guessed = sum(total[kind] for kind, price in prices.items() if price.source == "assumed")
        waiting = sum(any(job.place in self._left for job in unit.jobs) for unit in self._units)
        left = max(0.0, sum(total.values()) - part - failed) + START * max(0, waiting - processes)
        worked = self._worked + part + START * (len(self._units) - waiting)
        cost = self._spent / worked if worked and self._spent else 1.0
        seconds = left * cost - self._credit(prices, cost)
        return (max(0.0, seconds) / processes if processes else None), guessed > left / 2

    def _credit(self, prices: dict[Kind, Price], cost: float) -> float:
        """Seconds already spent on units that do not show how far they are: of each no more than it will cost in all."""
        return sum(
            min(
                spent,
                cost * sum(prices[self._kinds[job.place]].seconds for job in unit.jobs if job.place in self._left),
            )
            for unit, spent in self._unseen.items()
        )

    def _price(self, kind: Kind, running: float | None) -> Price:
        """What a job of this kind costs; before one has ended, by the speed of one that runs."""
        price = self._prices.price(self._sample[kind])
        return Price(running, "measured") if running and price.source != "measured" else price
