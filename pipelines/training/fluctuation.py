"""How much a curve moves from reading to reading, as the mean of the negative scores does where the keys' encoder moves fast
(Zhu et al. 2021, arXiv:2108.02982, figures 3 and 4, where it is seen by eye)."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from pipelines.history import read

CURVES = {
    "negative_mean": "scores/negative_mean",
    "negative_variance": "scores/negative_variance",
    "gradient_norm": "train/gradient_norm",
    "loss": "train/loss",
}
FEWEST = 3
"""Readings in the second half of a run; of fewer a fluctuation cannot be told from a trend."""


def fluctuations(history: Path) -> dict[str, float]:
    """final/fluctuation/NAME for each of ``CURVES``, over the second half of a run, in the curve's own unit.

    The first half is left out, because every curve moves while the run begins to learn. DamagedFile where the history is.
    """
    points = list(read(history))
    half = points[-1].step / 2 if points else 0
    late = [point.metrics for point in points if point.step >= half]
    curves = {name: [each[key] for each in late if key in each] for name, key in CURVES.items()}
    return {f"final/fluctuation/{name}": moves(curve) for name, curve in curves.items() if len(curve) >= FEWEST}


def moves(values: Sequence[float]) -> float:
    """Root of the mean squared change from one value to the next; noise of deviation s gives s root 2."""
    changes = [after - before for before, after in itertools.pairwise(values)]
    return math.sqrt(sum(change * change for change in changes) / len(changes))
