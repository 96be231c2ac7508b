"""Watch: tell how far a run is while Snakemake works, beside its own output and through its own logger."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from pipelines.masking import masked
from pipelines.watching.events import STAGE_OF, Events
from pipelines.watching.lines import block, line
from pipelines.watching.run import Now, WatchedRun

LOG_EVERY, TERMINAL_EVERY = 60.0, 5.0
"""Seconds between two lines of a log, and between two looks for a terminal."""
Show = Callable[[Now], None]


class RunWatch:
    """A thread that ends with the process or with ``stop``, whichever is first; no failure in it reaches the run."""

    def __init__(
        self, logger: logging.Logger, events: Events, run: Callable[[], WatchedRun], show: Show, every: float
    ) -> None:
        """run: makes the count, which reads records and so belongs into the thread; every: seconds between two looks."""
        self._logger, self._events, self._run, self._show, self._every = logger, events, run, show, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._safely, name="progress", daemon=True)

    def start(self) -> None:
        """Listen and look from now on."""
        self._logger.addHandler(self._events)
        self._thread.start()

    def stop(self) -> None:
        """No line comes after this."""
        self._over.set()
        self._logger.removeHandler(self._events)
        self._thread.join(timeout=self._every)

    def _safely(self) -> None:
        try:
            self._look_again()
        except Exception as error:  # watching must never end anything else
            self._logger.warning(f"progress is not told any more: {masked(str(error))}")

    def _look_again(self) -> None:
        run, last = self._run(), time.monotonic()
        while not self._over.wait(self._every):
            passed, last = time.monotonic() - last, time.monotonic()
            self._show(run.look(*self._events.look(), passed))


def watch(
    logger: logging.Logger, handlers: Iterable[object], events: Events, run: Callable[[], WatchedRun], word: str
) -> RunWatch:
    """A watch that shows the run in the terminal's panel, where Snakemake's rich logger has one, else in lines.

    handlers: of Snakemake's logger plugins. word: what a started job is called, running or submitted.
    """
    for handler in handlers:
        live, bars = getattr(handler, "live_display", None), getattr(handler, "progress", None)
        if isinstance(live, Live) and isinstance(bars, Progress) and live.console.is_terminal:
            return RunWatch(logger, events, run, in_panel(live, bars, word), TERMINAL_EVERY)
    return RunWatch(logger, events, run, in_lines(logger, word), LOG_EVERY)


class OtherBars:
    """Snakemake's own bars but for those of rules whose jobs our lines count: theirs count processes, of several jobs each."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._ours = {rule.replace("_", " ") for rule in STAGE_OF}

    def __rich__(self) -> Table:
        """Made anew whenever the panel is drawn."""
        return self._bars.make_tasks_table([task for task in self._bars.tasks if not self._is_ours(task.description)])

    def _is_ours(self, description: str) -> bool:
        name = Text.from_markup(description).plain  # that of a failed rule is marked
        return name.removeprefix("✗ ").removesuffix(" (failed)") in self._ours


def in_panel(live: Live, bars: Progress, word: str) -> Show:
    """Below the bars of what our lines do not count, written over at every look."""
    others = OtherBars(bars)

    def show(now: Now) -> None:
        live.update(Panel(Group(others, Text(block(now, word))), title="Workflow Progress", border_style="dim"))

    return show


def in_lines(logger: logging.Logger, word: str) -> Show:
    """A line at every look."""
    return lambda now: logger.info(f"progress {time.strftime('%H:%M')}: {line(now, word)}")
