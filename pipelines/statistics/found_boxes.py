"""COCO's average precision of one class at one overlap, and what it would be without each image.

Precision is read at 101 recalls, each time the best of this recall or a higher one (Lin et al. 2014, arXiv:1405.0312, and
pycocotools). Boxes and things are paired within an image, so that an image without which is counted takes its own boxes and
things away and changes nothing else.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.statistics.jackknife import Values

RECALLS = np.linspace(0, 1, 101)
ELEMENTS = 2**22
"""Precisions held at once: 32 MiB in float64."""
Whole = NDArray[np.int64]


def found_without(image: ArrayLike, verdict: ArrayLike, things: ArrayLike) -> tuple[float, Values]:
    """The average precision in [0, 1], and it without each image (M,); NaN where there is nothing to find.

    image (D,): whose box, the surest first, equally sure ones in COCO's order; verdict (D,): 1 finds a thing, 0 is a mistake,
    below 0 counts as neither; things (M,): how many there are to be found in each image.
    """
    said, wanted = np.asarray(verdict), np.asarray(things, dtype=np.int64)
    owner, right = np.asarray(image, dtype=np.int64)[said >= 0], said[said >= 0] == 1
    nobody = len(wanted)
    whole = float(_left_with(np.array([nobody]), owner, right, np.append(wanted, 0))[0])
    without = np.full(len(wanted), whole)
    concerned = np.union1d(owner, np.flatnonzero(wanted))
    step = max(1, ELEMENTS // max(1, int(right.sum())))
    for start in range(0, len(concerned), step):
        rows = concerned[start : start + step]
        without[rows] = _left_with(rows, owner, right, wanted)
    return whole, without


def _left_with(rows: Whole, owner: Whole, right: NDArray[np.bool_], things: Whole) -> Values:
    """(R,): the average precision without each of the images ``rows``, one at a time."""
    R, place = len(rows), np.flatnonzero(right)
    K, left = len(place), things.sum() - things[rows]
    if not K:
        return np.where(left > 0, 0.0, np.nan)
    row = np.full(len(things), -1)
    row[rows] = np.arange(R)
    mine = np.flatnonzero(row[owner] >= 0)
    gone, own = np.zeros((R, K + 1), np.int64), np.zeros((R, K), bool)
    np.add.at(
        gone, (row[owner[mine]], np.searchsorted(place, mine, side="right")), 1
    )  # counted in the right boxes behind
    taken = mine[right[mine]]
    own[row[owner[taken]], np.searchsorted(place, taken)] = True
    hits = np.arange(1, K + 1) - own.cumsum(1)
    rank = np.maximum(place + 1 - gone.cumsum(1)[:, :K], 1)
    precision = np.where(own, 0.0, hits / rank)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    first = _first_with(hits, np.minimum(_needed(left), K + 1))
    read = np.take_along_axis(best, np.minimum(first, K - 1), axis=1)
    return np.where(left > 0, np.where(first < K, read, 0.0).mean(1), np.nan)


def _needed(left: Whole) -> Whole:
    """(R, 101): how many of so many things have to be found for each recall, one at least, rounded as COCO rounds."""
    kinds, which = np.unique(left, return_inverse=True)
    each = [np.searchsorted(np.arange(1, count + 1) / max(count, 1), RECALLS) + 1 for count in kinds]
    return np.stack(each)[which]


def _first_with(hits: Whole, needed: Whole) -> Whole:
    """(R, 101): the first place in a rising row of hits (R, K) that has so many; K where none has."""
    R, K = hits.shape
    shift = np.arange(R)[:, None] * (K + 2)
    return (
        np.searchsorted((hits + shift).ravel(), (needed + shift).ravel()).reshape(needed.shape)
        - np.arange(R)[:, None] * K
    )
