"""Workers that share a study's trials: each takes the next slot that nobody works on, whoever dies is replaced.

All slots of a batch come before those of the next, so a worker with nothing to do waits for the others' trials.
"""

import sys
import time
from collections.abc import Callable

from pipelines.lease import Contest, Lease
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.study import Objective, is_finished, run_slot, slots

LOOK = 2.0
"""Seconds between two looks at what the others do."""
TOLD_EVERY = 60.0


def work(
    search: OptunaStudy, worker: int, objective: Callable[[Lease], Objective], stop: Callable[[], bool]
) -> list[int]:
    """Run slots until every slot of the study is finished, or ``stop`` says so; those that this worker ran.

    worker: where it begins to look, so that several do not all want the same slot. objective: what runs a slot under its
    lease.
    """
    ran: list[int] = []
    for stage in range(search.batches + 1):
        left = slots(search, stage)
        contests = {slot: Contest(search.journal.parent, f".slot-{slot}") for slot in left}
        told = 0.0
        while left := [slot for slot in left if not is_finished(search, slot)]:
            if stop():
                return ran
            start = worker % len(left)
            if (slot := _first(search, [*left[start:], *left[:start]], contests, objective, stop)) is not None:
                ran.append(slot)
                continue
            if time.monotonic() > told:
                told = time.monotonic() + TOLD_EVERY
                names = ", ".join(str(slot) for slot in left)
                print(f"waiting for other workers, who run slot {names}", file=sys.stderr, flush=True)
            time.sleep(LOOK)
    return ran


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
