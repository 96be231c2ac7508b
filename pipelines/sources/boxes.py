"""The boxes of a split's images, as the JSON members of its samples hold them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.sources.meta import metas
from pipelines.sources.reader import ShardSet

BOXES, NAME, BOX, DIFFICULT = "boxes", "name", "box", "difficult"
"""In a sample's JSON: {boxes: [{name, box: [left, top, right, bottom], difficult}]}, in pixels of the stored image."""


@dataclass(frozen=True)
class Boxes:
    """The M things of one image: box (M, 4) float32, label (M,) int64 from 1, difficult (M,) bool."""

    box: NDArray[np.float32]
    label: NDArray[np.int64]
    difficult: NDArray[np.bool_]


def boxes_of(shards: ShardSet, split: str, names: Sequence[str]) -> list[Boxes]:
    """Of every image in reading order, where names[0] has label 1. InputError where the shards hold none."""
    found = []
    for number, (_, meta) in enumerate(metas(shards, split)):
        try:
            things = meta[BOXES]
            box = np.array([thing[BOX] for thing in things], np.float32).reshape(-1, 4)
            label = np.array([names.index(thing[NAME]) + 1 for thing in things], np.int64)
            difficult = np.array([thing[DIFFICULT] for thing in things], np.bool_)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{shards.folder}: image {number} of {split} has no readable boxes ({error!r}); pack the data set anew"
            ) from None
        found.append(Boxes(box, label, difficult))
    return found
