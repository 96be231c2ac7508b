"""Being asked to end: SIGTERM from a scheduler or SIGINT from a keyboard, sent to one process or to all of a group.

A process that has something to save says so with ``deferred``, and ends by itself when it has saved; at any other time
it ends at once. Both signals may come twice: from Slurm to everybody, and once more from torchrun to those it started.
"""

import contextlib
import ctypes
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Self

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl
ENDING = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether this process was asked to end, and by which signal."""

    def __init__(self) -> None:
        self._number = 0
        self._deferred = False

    @classmethod
    @contextlib.contextmanager
    def listening(cls) -> Iterator[Self]:
        """Take the signals for the length of a block. One that the parent had ignored (nohup, ``&``) stays ignored."""
        stop = cls()
        kept = {number: signal.getsignal(number) for number in ENDING}
        for number, handler in kept.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, stop._take)
        try:
            yield stop
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """In this block a signal is only noted; who runs it asks now and then, and leaves in order."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self._number != 0

    @property
    def status(self) -> int:
        """The exit status by which a shell knows the signal: 143 for SIGTERM, 130 for SIGINT."""
        return 128 + (self._number or signal.SIGTERM)

    def _take(self, number: int, frame: FrameType | None) -> None:
        first, self._number = not self._number, self._number or number
        if first and not self._deferred:
            raise SystemExit(self.status)


def leave_to_parent(worker: int = 0) -> None:
    """Ignore both signals in a data worker: the process it works for decides when it ends.

    If that one is killed, the worker goes with it at once (Linux): it shares the open files, and with them the locks.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
