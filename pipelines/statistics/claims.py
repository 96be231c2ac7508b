"""The verdict on a claim about two rows: what paired seeds say of it, and how many more they would need."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.statistics.intervals import Estimate
from pipelines.statistics.paired import Difference, difference_of_images, difference_of_seeds, pairs_needed, sign_flip
from pipelines.statistics.power import seeds_needed
from pipelines.statistics.relation import Relation

Decision = Literal["supported", "not settled", "contradicted", "not enough runs"]


@dataclass(frozen=True)
class Verdict:
    """What was found of a claim, in the unit of the values.

    decision    supported: shown; contradicted: the opposite was shown; not settled: neither was
    relation, margin
    difference  first row minus second: mean, sd, n, interval, effect size, tests against 0
    p           of the sign-flip test against the claim's bound, two-sided; of two bounds the larger, but the one that
                contradicts where one does
    needed      seeds in all that would show a distance to the bound as large as the one seen, at the spread seen, with a
                chance of 0.8; at least six; None where a thousand are too few
    """

    decision: Decision
    relation: Relation
    margin: float
    difference: Difference
    p: float
    needed: int | None

    @property
    def missing(self) -> int | None:
        """Seeds still to run until ``needed``; None where that is."""
        return None if self.needed is None else max(0, self.needed - self.difference.estimate.n)


def judge(first: ArrayLike, second: ArrayLike, relation: Relation, margin: float = 0.0, alpha: float = 0.05) -> Verdict:
    """Of values (seeds,), or of correctness (seeds, images) in [0, 1]; row i of both from the same seed.

    A side of a bound counts as shown when the sign-flip test over seeds has p <= alpha and the whole interval (of seeds, or
    of seeds and images) lies there: with few test images the seeds alone would be too sure, and then more seeds cannot help.
    All tests are two-sided, so a side has half of alpha: stricter than the usual one-sided tests of non-inferiority and
    equivalence. With fewer pairs than the test needs, six for 0.05, there are not enough runs, whatever was seen. ValueError
    for a negative margin, for equivalence within 0, and for shapes that do not go together.
    """
    if margin < 0 or (relation == "equivalent" and margin == 0):
        raise ValueError(f"margin: {margin} has no meaning for the claim '{relation}'; give one above 0")
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = (difference_of_images if a.ndim == 2 else difference_of_seeds)(a, b, level=1 - alpha)
    pairs = a.mean(1) - b.mean(1) if a.ndim == 2 else a - b
    sides = [_side(pairs, difference.estimate, bound, wanted, alpha) for bound, wanted in _bounds(relation, margin)]
    return Verdict(
        decision=_decision(sides, len(pairs), alpha),
        relation=relation,
        margin=margin,
        difference=difference,
        p=min((side.p for side in sides if side.refuted), default=max(side.p for side in sides)),
        needed=_needed(min(side.distance for side in sides), difference.estimate, alpha),
    )


class _Side(NamedTuple):
    """What is known of one bound of a claim."""

    p: float
    shown: bool
    refuted: bool
    distance: float


def _bounds(relation: Relation, margin: float) -> list[tuple[float, int]]:
    """The bounds a claim has, and on which side of each it wants the difference."""
    found: dict[Relation, list[tuple[float, int]]] = {
        "greater": [(margin, 1)],
        "less": [(-margin, -1)],
        "at_least": [(-margin, 1)],
        "equivalent": [(-margin, 1), (margin, -1)],
    }
    return found[relation]


def _side(pairs: NDArray[np.float64], estimate: Estimate, bound: float, wanted: int, alpha: float) -> _Side:
    p = sign_flip(pairs - bound).p
    low, high = estimate.low, estimate.high
    found = 0 if low is None or high is None else int(low > bound) - int(high < bound)  # where the whole interval lies
    return _Side(p, p <= alpha and found == wanted, p <= alpha and found == -wanted, abs(estimate.mean - bound))


def _decision(sides: list[_Side], pairs: int, alpha: float) -> Decision:
    if pairs < pairs_needed(alpha):
        return "not enough runs"
    if any(side.refuted for side in sides):
        return "contradicted"
    return "supported" if all(side.shown for side in sides) else "not settled"


def _needed(distance: float, estimate: Estimate, alpha: float) -> int | None:
    """One pair says nothing of the spread: the fewest the test can do with."""
    return pairs_needed(alpha) if estimate.sd is None else seeds_needed(distance, estimate.sd, alpha)
