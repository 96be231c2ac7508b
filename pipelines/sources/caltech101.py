"""Caltech-101: objects of 101 kinds (Fei-Fei et al. 2004). Some of each class are train, all others test."""

from pathlib import Path

import numpy as np

from pipelines.errors import InputError
from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import file_split
from pipelines.sources.strata import equal_per_class
from pipelines.spec.datasets.caltech101 import Options as Caltech101


def read(options: Caltech101) -> Source:
    """torchvision's copy without the background class, split by a fixed draw. InputError where a class has too few."""
    root, found = options.root or Path(FOLDER), downloaded("Caltech101", options.root)
    folder = Path(found.root) / "101_ObjectCategories"
    paths = [folder / found.categories[y] / f"image_{number:04d}.jpg" for y, number in zip(found.y, found.index)]
    whole = file_split(root, paths, found.y)
    counts = np.bincount(whole.labels)
    if counts.min() <= options.train_per_class:
        name = found.categories[int(counts.argmin())]
        raise InputError(
            f"dataset.train_per_class: {options.train_per_class} images a class leave none of {name} for test, which has "
            f"{counts.min()}; lower it"
        )
    chosen = equal_per_class(whole.labels, len(counts) * options.train_per_class, 0, "train")
    rest = np.setdiff1d(np.arange(len(whole)), chosen)
    return Source(tuple(found.categories), whole.take(chosen), whole.take(rest))
