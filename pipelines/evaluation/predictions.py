"""What a protocol said of every test image, kept beside its record: of it come intervals, paired tests and error lists.

A few bytes an image, so every evaluation can afford it: 10,000 images of ten classes take about 30 kB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.advice import remade
from pipelines.errors import InputError
from pipelines.files import replacing

FILE = "predictions.npz"


@dataclass(frozen=True, eq=False)
class Predictions:
    """One row an image of test, in the order of the data set.

    ids        (m,) text, all different
    label      (m,) unsigned integers: the class it has
    predicted  (m,) unsigned integers: the class that was named
    score      (m,) float16, finite: how sure, in the protocol's own unit; None where it was not kept
    """

    ids: NDArray[np.str_]
    label: NDArray[np.unsignedinteger]
    predicted: NDArray[np.unsignedinteger]
    score: NDArray[np.float16] | None = None

    @staticmethod
    def of(ids: Sequence[str], label: ArrayLike, predicted: ArrayLike, score: ArrayLike | None = None) -> "Predictions":
        """From whole numbers (m,) in any type, kept in the smallest that holds them. ValueError for what does not fit."""
        kept = None if score is None else np.asarray(score, dtype=np.float16)
        found = Predictions(np.asarray(ids, dtype=np.str_), _smallest(label), _smallest(predicted), kept)
        if wrong := _wrong(found):
            raise ValueError(f"predictions: {wrong}")
        return found

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(m,): whether each image was named rightly."""
        return np.asarray(self.predicted == self.label)

    def save(self, path: Path) -> None:
        """Write one compressed file in one move; equal predictions give equal bytes."""
        kept: dict[str, Any] = {"ids": self.ids, "label": self.label, "predicted": self.predicted}
        kept |= {} if self.score is None else {"score": self.score}
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **kept)

    @staticmethod
    def load(path: Path, length: int | None = None) -> "Predictions":
        """What ``save`` wrote, ``length`` images of it where one is given; InputError names the file and what is wrong."""
        again = remade("evaluate", path.parent)
        try:
            with np.load(path, allow_pickle=False) as file:
                kept = {name: file[name] for name in file.files}
        except Exception as error:  # a damaged archive raises a dozen different ones
            raise InputError(f"{path}: not a readable predictions file ({error}); {again}") from None
        if set(kept) - {"score"} != {"ids", "label", "predicted"}:
            raise InputError(f"{path}: holds {sorted(kept)}, but predictions are ids, label and predicted; {again}")
        found = Predictions(**kept)
        if wrong := _wrong(found):
            raise InputError(f"{path}: {wrong}; {again}")
        if length is not None and len(found.ids) != length:
            raise InputError(f"{path}: holds {len(found.ids)} images, the test split has {length}; {again}")
        return found


def correctness(each: Sequence[Predictions]) -> NDArray[np.bool_]:
    """(seeds, images): whether each of them named each image rightly; InputError unless all are of the same images."""
    if not each:
        raise ValueError("no predictions given")
    first = each[0]
    for number, other in enumerate(each):
        if not (np.array_equal(first.ids, other.ids) and np.array_equal(first.label, other.label)):
            raise InputError(
                f"predictions 0 and {number} are not of the same test images in the same order ({len(first.ids)} and "
                f"{len(other.ids)} of them); compare evaluations of one data set, made from the same shards"
            )
    return np.stack([other.correct for other in each])


def _smallest(values: ArrayLike) -> NDArray[np.unsignedinteger]:
    """The same whole numbers in the smallest unsigned type; ValueError for negative or broken ones."""
    found = np.asarray(values)
    if found.size and (found.min() < 0 or (found != found.astype(np.uint64)).any()):
        raise ValueError("predictions: classes have to be whole numbers from 0")
    return found.astype(np.min_scalar_type(int(found.max()) if found.size else 0))


def _wrong(found: Predictions) -> str | None:
    """What is not as the class says; None where all is."""
    if found.ids.dtype.kind != "U" or found.ids.ndim != 1 or not len(found.ids):
        return f"ids are {found.ids.dtype} {found.ids.shape}, they have to be text, one an image"
    for name in ("label", "predicted"):
        values = getattr(found, name)
        if values.dtype.kind != "u" or values.shape != found.ids.shape:
            return f"{name} is {values.dtype} {values.shape} for {len(found.ids)} ids; one unsigned integer each"
    if len(set(found.ids.tolist())) < len(found.ids):
        return "two images have the same id"
    score = found.score
    if score is not None and (
        score.dtype != np.float16 or score.shape != found.ids.shape or not np.isfinite(score).all()
    ):
        return f"score is {score.dtype} {score.shape} for {len(found.ids)} ids; one finite float16 each"
    return None
