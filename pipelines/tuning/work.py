"""Workers that share a study's trials: each takes the next slot that nobody works on, whoever dies is replaced.

All slots of a batch come before those of the next, so a worker with nothing to do waits for the others' trials.
"""

import sys
import time
from collections.abc import Callable

from pipelines.errors import EnvironmentFault
from pipelines.lease import PATIENCE, Contest, Lease
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.study import Objective, is_finished, run_slot, slots

LOOK = 2.0
"""Seconds between two looks at what the others do."""
TOLD_EVERY = 60.0


def work(
    search: OptunaStudy,
    worker: int,
    objective: Callable[[Lease], Objective],
    stop: Callable[[], bool],
    patience: float = PATIENCE,
) -> list[int]:
    """Run slots until every slot of the study is finished, or ``stop`` says so; those that this worker ran.

    worker: where it begins to look, so that several do not all want the same slot. objective: what runs a slot under its
    lease. patience: seconds to wait for slots that others run, of which none ends; then EnvironmentFault names them.
    """
    ran: list[int] = []
    for stage in range(search.batches + 1):
        left = slots(search, stage)
        contests = {slot: Contest(search.journal.parent, f".slot-{slot}") for slot in left}
        waiting = _Waiting(patience)
        while left := [slot for slot in left if not is_finished(search, slot)]:
            if stop():
                return ran
            start = worker % len(left)
            if (slot := _first(search, [*left[start:], *left[:start]], contests, objective, stop)) is not None:
                ran.append(slot)
                continue
            waiting.look({slot: contests[slot] for slot in left})
            time.sleep(LOOK)
    return ran


class _Waiting:
    """Tells every minute whom a worker waits for, and does not wait without end."""

    def __init__(self, patience: float) -> None:
        self._patience, self._told = patience, -TOLD_EVERY
        self._left, self._since = 0, time.monotonic()

    def look(self, left: dict[int, Contest]) -> None:
        """Once more none of these slots is free. EnvironmentFault when for long none has been finished."""
        now = time.monotonic()
        if len(left) != self._left:
            self._left, self._since = len(left), now
        waited = now - self._since
        if waited <= self._patience and now < self._told + TOLD_EVERY:
            return
        names = ", ".join(f"{slot} ({contest.holder() or 'another process'})" for slot, contest in left.items())
        if waited > self._patience:
            raise EnvironmentFault(
                f"other workers have run slot {names} for more than {self._patience:g} seconds; end them, and run again"
            )
        self._told = now
        print(
            f"waiting for other workers, who run slot {names}, at most {self._patience:g} seconds",
            file=sys.stderr,
            flush=True,
        )


def _first(
    search: OptunaStudy,
    left: list[int],
    contests: dict[int, Contest],
    objective: Callable[[Lease], Objective],
    stop: Callable[[], bool],
) -> int | None:
    """Run the first slot that nobody works on; None where there is none."""
    for slot in left:
        if lease := contests[slot].attempt():
            try:
                run_slot(search, slot, objective(lease), stop)
            finally:
                lease.release()
            return slot
    return None
