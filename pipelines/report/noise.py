"""Which differences between rows the seeds can show, and how large a difference is."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.report.cells import Cell, Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.estimates import RESAMPLES
from pipelines.statistics.intervals import Estimate
from pipelines.statistics.letters import Pair, compact_letters, different_pairs
from pipelines.statistics.paired import (
    Difference,
    by_seed,
    difference_of_images,
    difference_of_seeds,
    pairs_needed,
    sign_flip,
    student,
)


@functools.cache
def letters(comparison: Comparison, column: Column) -> dict[Row, str]:
    """The letters of the rows that compete; those with an a are within noise of the best.

    Two rows differ where the exact sign-flip test over their common seeds says so by itself, and a paired t test does with
    Benjamini and Hochberg's correction over all pairs, both at 5 %. The exact test alone cannot be corrected for many
    pairs: six seeds give it no p below 0.031. Empty where no pair has the seeds that it needs.
    """
    order = {row.title: row for row in comparison.ranking(column)}
    cells = {title: comparison.cells[row, column].by_seed for title, row in order.items()}
    exact, normal, enough = dict[Pair, float](), dict[Pair, float](), False
    for one, other in itertools.combinations(order, 2):
        a, b = by_seed(cells[one], cells[other])
        if len(a):
            pair = frozenset((one, other))
            exact[pair], normal[pair] = sign_flip(a - b).p, student(a - b)
            enough = enough or len(a) >= pairs_needed()
    different = different_pairs(exact, correct=False) & different_pairs(normal)
    found = compact_letters(list(order), different) if enough else {}
    return {order[title]: letter for title, letter in found.items()}


def difference(one: Cell, other: Cell) -> Estimate | None:
    """One cell minus another in points, over the seeds they share; None where they share none."""
    found = compared(one, other)
    return found.estimate if found else None


def compared(one: Cell, other: Cell) -> Difference | None:
    """One cell minus another in points, with its tests, over the seeds they share; None where they share none.

    What was planned once, as raw pixels are, is the same number for every seed.
    """
    first, second = _spread(one, one.by_seed, other), _spread(other, other.by_seed, one)
    right, wrong = _spread(one, one.correct or {}, other), _spread(other, other.correct or {}, one)
    a, b = by_seed(right, wrong)
    if len(a) and len(a) == len(set(first) & set(second)):
        whole, scale = difference_of_images(a, b, resamples=RESAMPLES), 100.0
    else:
        a, b = by_seed(first, second)
        if not len(a):
            return None
        whole, scale = difference_of_seeds(a, b), 1.0
    found = whole.estimate
    ends = (None if end is None else scale * end for end in (found.low, found.high))
    low, high = ends
    sd = None if found.sd is None else scale * found.sd
    return replace(
        whole, estimate=replace(found, mean=float(np.multiply(scale, found.mean)), sd=sd, low=low, high=high)
    )


def _spread(cell: Cell, values: Mapping[int, Any], beside: Cell) -> Mapping[int, Any]:
    """By seed, what a cell has; of one that was planned once for every seed of the other."""
    if cell.expected == 1 and len(values) == 1:
        return dict.fromkeys(beside.by_seed, next(iter(values.values())))
    return values
