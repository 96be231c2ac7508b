"""Which images' labels a protocol with few labels may use: a list that follows from the run's seed alone."""

import numpy as np
from numpy.typing import NDArray

from pipelines.randomness import numpy_generator
from pipelines.seeds import seed_for
from pipelines.spec.evaluation.low_shot import few_of

Rows = NDArray[np.int64]


def evaluation_seed(seed: int) -> int:
    """The seed that the generator handed to a protocol on features starts from: both kinds of protocol draw by it."""
    return seed_for(seed, "evaluate")


def few_labels(label: Rows, num_classes: int, amount: float, seed: int) -> Rows:
    """Sorted positions into label (n,), -1 where there is none.

    amount: a share of every class, at least one image of it, or as an int so many of every class, as far as they go. Of two
    amounts the smaller one's images are among the larger one's. seed: see ``evaluation_seed``.
    """
    draw = numpy_generator(seed, "labels")
    chosen = []
    for number in range(num_classes):
        rows = draw.permutation(np.flatnonzero(label == number))
        chosen.append(rows[: few_of(amount, len(rows))])
    return np.sort(np.concatenate(chosen))
