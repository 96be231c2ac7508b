"""Frozen features of images that have several labels each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TaggedFeatures:
    """Features of images, and which classes are seen in them.

    train, test                (n, F), (m, F) float
    train_target, test_target  (n, C), (m, C): 1 seen, 0 not seen, -1 not to be asked
    names                      of the C classes
    """

    train: NDArray[np.floating]
    train_target: NDArray[np.int8]
    test: NDArray[np.floating]
    test_target: NDArray[np.int8]
    names: Sequence[str]
