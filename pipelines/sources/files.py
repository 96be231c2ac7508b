"""Splits of image files as they lie on disk: their own bytes, and their paths as ids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.errors import InputError
from pipelines.sources.base import Labels, Sample, Source, Split
from pipelines.sources.strata import stratified_share


def file_split(root: Path, paths: Sequence[Path | str], labels: Sequence[int] | Labels) -> Split:
    """Image files below ``root`` with labels (N,). Nothing is read before it is asked for; ids are paths below root.

    InputError for a path that leads out of ``root``: lists that are fetched with a data set say what is packed.
    """
    places = [Path(path) for path in paths]
    if outside := next((path for path in places if ".." in path.parts or not path.is_relative_to(root)), None):
        raise InputError(f"{root}: its lists name {outside}, which leads out of it; fetch the data set anew")
    ids = [path.relative_to(root).as_posix() for path in places]
    numbers = np.asarray(labels, np.int64)

    def read(position: int) -> Sample:
        path = places[position]
        return Sample(ids[position], path.read_bytes(), path.suffix[1:].lower(), int(numbers[position]))

    return Split(ids, numbers, read)


def file_name(given: object) -> str:
    """A name that a list gives. ValueError for a path: images lie in the list's own folder, and no other file is packed."""
    name = str(given)
    if Path(name).name != name or name in ("", ".."):
        raise ValueError(f"'{name}' is no name of a file")
    return name


def joined(root: Path, parts: Sequence[tuple[Sequence[Path | str], Sequence[int]]]) -> Split:
    """Several lists of paths with labels as one split."""
    return file_split(root, [path for paths, _ in parts for path in paths], [n for _, labels in parts for n in labels])


def with_test_share(classes: tuple[str, ...], whole: Split, share: float) -> Source:
    """A data set that is published without a split: a share of every class becomes test, always the same."""
    chosen = stratified_share(whole.labels, share, 0, "test")
    rest = np.setdiff1d(np.arange(len(whole)), chosen)
    return Source(classes, whole.take(rest), whole.take(chosen))
