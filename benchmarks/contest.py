"""Contestants that take turns, A B A B ..., so that a disturbance of the machine meets all of them alike."""

import contextlib
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from pipelines.training.loop import Trainer

Result = TypeVar("Result")
Segment = dict[str, Any]
"""What one turn of training gives: ``seconds`` of each timed step, and whatever else the contestant wants to tell."""
Runner = Callable[[int, int], Segment]
"""``runner(warm, steps)`` trains warm steps untimed, then steps timed."""


def in_turn(works: Mapping[str, Callable[[], Result]], rounds: int, warm: int = 1) -> dict[str, list[Result]]:
    """What every work gives, round by round, after ``warm`` rounds that do not count: they fill caches."""
    turns = [{name: work() for name, work in works.items()} for _ in range(warm + rounds)][warm:]
    return {name: [turn[name] for turn in turns] for name in works}


def paired(ours: list[float], theirs: list[float]) -> float:
    """Median over the rounds of ours / theirs, each pair measured one right after the other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one run of ``work``."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Contestant(Protocol):
    """Who trains when it is its turn."""

    def turn(self, warm: int, steps: int) -> Segment: ...


class Arm:
    """A contestant in a process of its own: no memory, thread or warm worker of one helps or hinders another.

    ``make(*arguments)`` is called there and gives the runner. Use as a context; the process ends with it.
    """

    def __init__(self, make: Callable[..., Runner], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, make, arguments))
        self.process.start()
        other.close()

    def __enter__(self) -> "Arm":
        return self

    def __exit__(self, *_: object) -> None:
        self.pipe.close()  # the other end reads the end of the pipe and returns
        self.process.join()

    def turn(self, warm: int, steps: int) -> Segment:
        """One turn; EOFError when the contestant died, which has printed why."""
        self.pipe.send((warm, steps))
        return self.pipe.recv()


def _serve(pipe: Connection, make: Callable[..., Runner], arguments: tuple[object, ...]) -> None:
    runner = make(*arguments)
    while True:
        try:
            warm, steps = pipe.recv()
        except EOFError:
            return
        pipe.send(runner(warm, steps))


def alternate(arms: Mapping[str, Contestant], rounds: int, warm: int, steps: int) -> dict[str, list[Segment]]:
    """Turns of all arms; each turn warms up by itself."""
    return in_turn({name: partial(_told, name, arm, warm, steps) for name, arm in arms.items()}, rounds, warm=0)


def _told(name: str, arm: Contestant, warm: int, steps: int) -> Segment:
    turn = arm.turn(warm, steps)
    print(f"{name}: {statistics.mean(turn['seconds']):.3f} s a step", flush=True)
    return turn


def contest(makers: Mapping[str, tuple[Any, ...]], rounds: int, warm: int, steps: int) -> dict[str, list[Segment]]:
    """Turns of contestants in processes of their own. makers: name -> (make, its arguments ...), as ``Arm`` takes them."""
    with contextlib.ExitStack() as running:
        arms = {name: running.enter_context(Arm(*maker)) for name, maker in makers.items()}
        return alternate(arms, rounds, warm, steps)


class TimedTrainer:
    """Runs of a Trainer that stop after some steps; its ``stop`` hook, called once a step, reads ``seconds_now``.

    settle: called before the time of the first step that counts is read, and of the last; waits for a GPU. The times between
    are then those of the program, which is ahead of the GPU: only their mean counts.
    """

    def __init__(
        self, seconds_now: Callable[[], float] = time.perf_counter, settle: Callable[[], object] = lambda: None
    ) -> None:
        self.seconds_now, self.settle = seconds_now, settle
        self.ends = (0, 0)
        self.trainer: Trainer | None = None
        self.marks: list[tuple[float, float, float]] = []
        self.wanted = 0

    def stop(self) -> bool:
        """Note the time and the trainer's own clock, once a step; whether all steps are done."""
        assert self.trainer is not None
        if len(self.marks) < self.wanted:
            clock = self.trainer.clock
            if len(self.marks) in self.ends:
                self.settle()
            self.marks.append((self.seconds_now(), clock.training, clock.views))
        return len(self.marks) >= self.wanted

    def __call__(self, warm: int, steps: int) -> Segment:
        """Train warm + steps steps, warm at least 1; ``views_share``: of the timed steps, by the trainer's clock."""
        from pipelines.training.loop import Stopped

        assert self.trainer is not None
        self.marks, self.wanted, self.ends = [], warm + steps, (warm - 1, warm + steps - 1)
        with contextlib.suppress(Stopped):
            self.trainer.fit()
        marks = self.marks[warm - 1 :]
        assert len(marks) == steps + 1, "the run has to be longer than what is timed, within one epoch"
        return {
            "seconds": [after[0] - before[0] for before, after in itertools.pairwise(marks)],
            "views_share": (marks[-1][2] - marks[0][2]) / (marks[-1][1] - marks[0][1]),
        }
