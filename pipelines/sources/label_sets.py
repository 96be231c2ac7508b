"""Which classes are seen in every image of a split, where an image may have several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.meta import metas
from pipelines.sources.reader import ShardSet

PRESENT, IGNORED = "present", "ignored"
"""Lists of class names in a sample's JSON."""


def label_sets(shards: ShardSet, split: str, names: Sequence[str]) -> NDArray[np.int8]:
    """(n, C) in reading order: 1 where a class is seen, 0 where it is not, -1 where it is not to be asked."""
    rows = []
    for _, meta in metas(shards, split):
        present, ignored = set(meta.get(PRESENT, ())), set(meta.get(IGNORED, ()))
        rows.append([1 if name in present else -1 if name in ignored else 0 for name in names])
    return np.array(rows, np.int8).reshape(-1, len(names))
