"""A limit to every call of a server or database, whatever it does: one that accepts and never answers looks alive."""

import math
import queue
import threading
from collections.abc import Callable
from typing import Any

CALL, OPEN = 60.0, 300.0
"""Seconds for one call, and for opening a store, which may make a schema of many tables."""


def within(seconds: float, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the function returns or raises; TimeoutError when it takes longer, and then nobody waits for it any more."""
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def call() -> None:
        try:
            answer.put((True, function(*arguments, **options)))
        except BaseException as error:
            answer.put((False, error))

    threading.Thread(target=call, daemon=True).start()  # a hanging one does not keep the process from ending
    try:
        good, value = answer.get(timeout=None if math.isinf(seconds) else seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if good:
        return value
    raise value


class Limited:
    """Anything with methods, each call of which has ``CALL`` seconds, until ``over`` says that there shall be no more."""

    def __init__(self, whole: Any, over: Callable[[], bool] = lambda: False) -> None:
        self._whole, self._over = whole, over

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._whole, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self._over():
                raise TimeoutError("the time for the last sync is over")
            return within(CALL, method, *arguments, **options)

        return call
