"""How many images each class gives to a slice of a split; plain numbers, so that planning knows them before packing."""

import math
from collections.abc import Sequence


def shares(counts: Sequence[int], share: float) -> list[int]:
    """Of each count its share, rounded by largest remainder: together round(share x their sum)."""
    exact = [count * share for count in counts]
    quota = [math.floor(each + 1e-9) for each in exact]
    nearest = sorted(range(len(counts)), key=lambda number: quota[number] - exact[number])
    for number in nearest[: round(share * sum(counts)) - sum(quota)]:
        quota[number] += 1
    return quota


def evenly(counts: Sequence[int], limit: int) -> list[int]:
    """min(limit, their sum) in all, as many of each count as of the next, within one, as far as each goes."""
    quota = [0] * len(counts)
    left = min(limit, sum(counts))
    while left:
        wanting = [number for number, count in enumerate(counts) if quota[number] < count]
        each = left // len(wanting)
        for number in wanting if each else wanting[:left]:
            given = min(each or 1, counts[number] - quota[number])
            quota[number] += given
            left -= given
    return quota
