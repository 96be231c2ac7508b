"""Follow: keep MLflow up to date while another process works, whatever happens to MLflow."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Hashable
from pathlib import Path

import psutil

from pipelines.errors import EnvironmentFault
from pipelines.masking import masked
from pipelines.tracking.folders import files_digest, state_of
from pipelines.tracking.replay import ReplayOutcome, sync_study
from pipelines.tracking.report_run import NAME, report_files
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import Store, connect
from pipelines.tracking.tree import StudyTree, Trees

LONGEST_WAIT = 300.0
LAST_SYNC = 300.0
"""Seconds that are left to bring MLflow up to date once the work that was followed has ended."""
_TICK = 0.5


class Follower:
    """Syncs those rows of the studies that changed since it last did; an unchanged job costs one or two file look-ups."""

    def __init__(self, results: Path, settings: TrackingSettings, studies: Collection[str] = ()) -> None:
        self.results, self.settings, self.studies = results, settings, studies
        self.over: Callable[[], bool] = lambda: False
        """Whether MLflow shall not be asked for anything any more."""
        self._trees = Trees(results)
        self._seen: dict[tuple[str, str], Hashable] = {}
        self._store: Store | None = None

    def sync(self) -> None:
        """Send what changed. Any exception may come out; then the next sync looks at everything again."""
        try:
            self._sync()
        except BaseException:
            self._store, self._seen = None, {}  # what comes back may be another MLflow
            raise

    def _sync(self) -> None:
        outcome = ReplayOutcome()
        for study in self._trees.read(self.studies):
            states = _states(study)
            changed = {key for key, state in states.items() if self._seen.get((study.name, key)) != state}
            if changed:
                self._store = self._store or connect(self.settings, self.results, lambda: self.over())
                sync_study(study, self._store, outcome, changed)
                if outcome.problems:
                    raise EnvironmentFault("; ".join(outcome.problems))
                self._seen |= {(study.name, key): states[key] for key in changed}


def _states(study: StudyTree) -> dict[str, Hashable]:
    """Row -> what its folders look like; rows without any life are left out."""
    states = {row.key: tuple(map(state_of, row.folders)) for row in study.rows}
    files = report_files(study.folder)
    report: dict[str, Hashable] = {NAME: files_digest(files)} if files else {}
    return {key: state for key, state in states.items() if any(state)} | report


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
