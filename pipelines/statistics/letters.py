"""Which rows of a table differ, as letters: two rows share a letter exactly when no difference between them was shown.

Insert and absorb (Piepho 2004, Journal of Computational and Graphical Statistics 13(2), 456-466).
"""

import string
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

Pair = frozenset[str]


def different_pairs(p: Mapping[Pair, float], alpha: float = 0.05, correct: bool = True) -> frozenset[Pair]:
    """The pairs of names whose p is at most alpha, by Benjamini and Hochberg's step-up over all of them if ``correct``.

    Corrected, a share alpha of the pairs called different may not be. ValueError for p outside [0, 1].
    """
    if not p:
        return frozenset()
    values = np.array(list(p.values()), dtype=np.float64)
    adjusted = stats.false_discovery_control(values) if correct else values
    return frozenset(pair for pair, value in zip(p, adjusted) if value <= alpha)


def compact_letters(order: Sequence[str], different: frozenset[Pair]) -> dict[str, str]:
    """Name -> its letters. order: distinct names, best first, so that a is the best's. ValueError for names unheard of."""
    if len(set(order)) < len(order) or not set().union(*different) <= set(order):
        raise ValueError(f"letters need distinct names, and pairs of them alone; got {list(order)}")
    groups = [frozenset(order)]
    for one, other in sorted(sorted(pair, key=order.index) for pair in different):
        both = [group for group in groups if {one, other} <= group]
        split = [group - {name} for group in both for name in (one, other)]
        groups = _absorbed([group for group in groups if group not in both] + split)
    groups.sort(key=lambda group: sorted(order.index(name) for name in group))
    return {name: "".join(_letter(i) for i, group in enumerate(groups) if name in group) for name in order}


def within_noise_of_best(order: Sequence[str], different: frozenset[Pair]) -> tuple[str, ...]:
    """The names that were not shown to differ from the first, itself included, in their order.

    Under six pairs no test can show a difference, so all are: say how many seeds there were beside it.
    """
    return tuple(name for name in order if frozenset((order[0], name)) not in different)


def _absorbed(groups: list[frozenset[str]]) -> list[frozenset[str]]:
    """Without those that another holds."""
    unique = list(dict.fromkeys(groups))
    return [group for group in unique if not any(group < other for other in unique)]


def _letter(number: int) -> str:
    letters = string.ascii_lowercase + string.ascii_uppercase
    return letters[number] if number < len(letters) else f"({number + 1})"
