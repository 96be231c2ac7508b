"""Follow: keep MLflow up to date while another process works, whatever happens to MLflow."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

from pipelines import history
from pipelines.errors import EnvironmentFault
from pipelines.masking import masked
from pipelines.records import FILE as RECORD
from pipelines.tracking.folders import JobFolder, find_jobs
from pipelines.tracking.replay import sync_jobs
from pipelines.tracking.settings import Tracking
from pipelines.tracking.store import Store, connect

LONGEST_WAIT = 300.0
LAST_SYNC = 300.0
"""Seconds that are left to bring MLflow up to date once the work that was followed has ended."""
_TICK = 0.5

State = tuple[int | bool, ...]


class Follower:
    """Syncs those job folders that changed since it last did; an unchanged folder costs three file look-ups."""

    def __init__(self, results: Path, settings: Tracking, studies: Collection[str] = ()) -> None:
        self.results, self.settings, self.studies = results, settings, studies
        self.over: Callable[[], bool] = lambda: False
        """Whether MLflow shall not be asked for anything any more."""
        self._seen: dict[tuple[Path, str], State] = {}
        self._store: Store | None = None

    def sync(self) -> None:
        """Send what changed. Any exception may come out; then the next sync looks at everything again."""
        try:
            self._sync()
        except BaseException:
            self._store, self._seen = None, {}  # what comes back may be another MLflow
            raise

    def _sync(self) -> None:
        states = {}
        for job in find_jobs(self.results, self.studies):
            state = _state(job)
            if state and self._seen.get((job.path, str(job.tags))) != state:
                states[job.path, str(job.tags)] = (job, state)
        if not states:
            return
        self._store = self._store or connect(self.settings, self.results, lambda: self.over())
        outcome = sync_jobs([job for job, _ in states.values()], self.settings, self.results, self._store)
        if outcome.problems:
            raise EnvironmentFault("; ".join(outcome.problems))
        self._seen |= {place: state for place, (_, state) in states.items()}


def follow(follower: Follower, parent: int, every: float) -> None:
    """Sync every ``every`` seconds until the process ``parent`` ends or SIGTERM comes, then once more.

    Errors are printed when they begin and when they end, and make the waits longer, at most ``LONGEST_WAIT`` seconds.
    Whatever MLflow does, all is over ``LAST_SYNC`` seconds after the parent, and the time of one call.
    Ctrl-C reaches the whole terminal group: it is left to the parent.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # the training beside it comes first
    follower.over = _Ending(parent, stop).over
    failures = 0
    while _wait(min(every * 2**failures, max(every, LONGEST_WAIT)), parent, stop):
        failures = 0 if _try(follower, first=failures == 0) else failures + 1
    _try(follower, first=True)


class _Ending:
    """Knows for how long the parent has been gone, or asked to stop."""

    def __init__(self, parent: int, stop: threading.Event) -> None:
        self._parent, self._stop = parent, stop
        self._since: float | None = None

    def over(self) -> bool:
        if self._since is None and (self._stop.is_set() or not _lives(self._parent)):
            self._since = time.monotonic()
        return self._since is not None and time.monotonic() - self._since > LAST_SYNC


def _try(follower: Follower, first: bool) -> bool:
    try:
        follower.sync()
    except Exception as error:  # tracking must never end anything else
        if first:
            print(f"tracking: {masked(str(error))}", file=sys.stderr, flush=True)
        return False
    if not first:
        print("tracking: MLflow is being filled again", file=sys.stderr, flush=True)
    return True


def _wait(seconds: float, parent: int, stop: threading.Event) -> bool:
    """Wait; False as soon as the parent has ended or a stop was asked for."""
    end = time.monotonic() + seconds
    while _lives(parent):
        left = end - time.monotonic()
        if left <= 0:
            return True
        if stop.wait(min(left, _TICK)):
            break
    return False


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _state(job: JobFolder) -> State:
    """Sizes and times of a job's record and history, and whether it is being written; empty when it has neither."""
    state: list[int | bool] = []
    for name in (RECORD, history.FILE):
        try:
            stat = (job.path / name).stat()
        except FileNotFoundError:
            continue
        state += [stat.st_mtime_ns, stat.st_size]
    return (*state, history.being_written(job.path / history.FILE)) if state else ()
