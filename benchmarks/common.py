"""What the benchmarks share: contestants in processes of their own, timed training steps, and one form of result."""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.files import write_json
from pipelines.machine import cpu_name, git_state
from pipelines.records import now

if TYPE_CHECKING:
    from pipelines.training.loop import Trainer

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"

Segment = dict[str, Any]
"""What one turn of a contestant gives: ``seconds`` of each timed step, and whatever else it wants to tell."""
Runner = Callable[[int, int], Segment]
"""``runner(warm, steps)`` trains warm steps untimed, then steps timed."""


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


def alternate(arms: dict[str, Arm], rounds: int, warm: int, steps: int) -> dict[str, list[Segment]]:
    """Turns of all arms, A B A B ..., so that a disturbance of the machine meets all of them alike."""
    turns: dict[str, list[Segment]] = {name: [] for name in arms}
    for number in range(rounds):
        for name, arm in arms.items():
            turns[name].append(arm.turn(warm, steps))
            seconds = statistics.mean(turns[name][-1]["seconds"])
            print(f"round {number + 1} of {rounds}: {name}: {seconds:.3f} s a step", flush=True)
    return turns


def paired(ours: list[float], theirs: list[float]) -> float:
    """Median over the rounds of ours / theirs, each pair measured one right after the other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


class TimedTrainer:
    """Runs of a Trainer that stop after some steps; its ``stop`` hook, called after every step, reads the clock."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self.marks: list[tuple[float, float, float]] = []
        self.wanted = 0

    def stop(self) -> bool:
        """Note the time and the trainer's own clock, once a step; whether all steps are done."""
        assert self.trainer is not None
        if len(self.marks) < self.wanted:
            clock = self.trainer.clock
            self.marks.append((time.perf_counter(), clock.training, clock.views))
        return len(self.marks) >= self.wanted

    def __call__(self, warm: int, steps: int) -> Segment:
        """Train warm + steps steps, warm at least 1; ``views_share``: of the timed steps, by the trainer's clock."""
        from pipelines.training.loop import Stopped

        assert self.trainer is not None
        self.marks, self.wanted = [], warm + steps
        with contextlib.suppress(Stopped):
            self.trainer.fit()
        marks = self.marks[warm - 1 :]
        assert len(marks) == steps + 1, "the run has to be longer than what is timed, within one epoch"
        return {
            "seconds": [after[0] - before[0] for before, after in itertools.pairwise(marks)],
            "views_share": (marks[-1][2] - marks[0][2]) / (marks[-1][1] - marks[0][1]),
        }


def arguments_of(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes: shows that it runs, no more")
    parser.add_argument("--json", type=Path, help="file for the result, e.g. benchmarks/results/NAME.json")
    return parser


def keep_cores(count: int) -> int:
    """Let this process and its children use ``count`` cores at most; how many it has then."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def row(
    what: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """A line of the table in docs/performance.md; with the bound it was meant to keep, if it has one."""
    bound = {"at_least": at_least} if at_least is not None else {"at_most": at_most} if at_most is not None else {}
    return {"what": what, "value": value, "unit": unit, **bound}


class Report:
    """A result in the making: reads the machine's load before anything is measured."""

    def __init__(self, name: str, what: str, packages: Iterable[str], settings: dict[str, Any], quick: bool) -> None:
        commit, dirty = git_state()
        self.started = time.perf_counter()
        self.result: dict[str, Any] = {
            "benchmark": name,
            "what": what,
            "quick": quick,
            "when": now(),
            "commit": commit,
            "dirty": dirty,
            "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "load_at_start": round(os.getloadavg()[0], 2)},
            "versions": {package: version(package) for package in packages},
            "settings": settings,
        }

    def finish(self, rows: list[dict[str, Any]], raw: dict[str, Any], path: Path | None) -> None:
        """Print the rows; write the whole result, with every single time, to ``path``."""
        from benchmarks.table import table

        self.result |= {"took_seconds": round(time.perf_counter() - self.started, 1), "rows": rows, "raw": raw}
        print(f"\n{table(self.result)}")
        print(json.dumps({name: self.result[name] for name in ("machine", "versions", "settings")}, indent=1))
        if path:
            write_json(path, self.result)
