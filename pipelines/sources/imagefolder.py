"""Folders of class folders: train/ and test/ (or val/) inside, or class folders only, of which a share becomes test."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.images import EXTENSIONS
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def read(options: ImageFolder) -> Source:
    """Paths only; images are read when asked for. Links are followed. InputError: missing, empty, unknown classes."""
    root = Path(options.folder)
    if not root.is_dir():
        raise InputError(f"{root}: dataset.folder is no folder; give one with a folder of images for each class")
    train, test = _roots(root)
    classes = _class_list(Path(options.classes)) if options.classes else _folders(train)
    if not classes:
        raise InputError(f"{train}: no class folders; put the images of each class into a folder of its own")
    if (
        test is not None
        and not options.classes
        and (unknown := [name for name in _folders(test) if name not in classes])
    ):
        raise InputError(
            f"{test / unknown[0]}: {train} has no class of that name; list the classes to use in dataset.classes"
        )
    whole = _split(root, train, classes)
    if test is not None:
        return Source(classes, whole, _split(root, test, classes))
    chosen = stratified_share(whole.labels, options.test_share, 0, "test")
    rest = np.setdiff1d(np.arange(len(whole)), chosen)
    return Source(classes, whole.take(rest), whole.take(chosen))


def _roots(root: Path) -> tuple[Path, Path | None]:
    """The folders of train and test. test/ counts only with class folders in it: ImageNet's has bare images."""
    train = root / "train"
    if not train.is_dir():
        return root, None
    for name in ("test", "val"):
        if (root / name).is_dir() and _folders(root / name):
            return train, root / name
    return train, None


def _folders(root: Path) -> tuple[str, ...]:
    return tuple(sorted(item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith(".")))


def _class_list(path: Path) -> tuple[str, ...]:
    """The first word of each line that is not empty."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: dataset.classes cannot be read ({error})") from None
    names = tuple(line.split()[0] for line in lines if line.strip())
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise InputError(f"{path}: class {twice[0]} is listed twice")
    if not names:
        raise InputError(f"{path}: dataset.classes names no class; write one class folder a line")
    return names


def _split(root: Path, part: Path, classes: tuple[str, ...]) -> Split:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        if not (part / name).is_dir():
            raise InputError(f"{part / name}: no such class folder; add it, or choose classes with dataset.classes")
        found = sorted(_images(part / name))
        if not found:
            raise InputError(
                f"{part / name}: the class folder holds no image ({', '.join(sorted(EXTENSIONS))}); "
                "add images, remove the folder, or choose classes with dataset.classes"
            )
        paths += found
        labels += [label] * len(found)
    ids = [path.relative_to(root).as_posix() for path in paths]

    def sample(position: int) -> Sample:
        path = paths[position]
        return Sample(ids[position], path.read_bytes(), path.suffix[1:].lower(), labels[position])

    return Split(ids, np.array(labels, np.int64), sample)


def _images(folder: Path) -> Iterator[Path]:
    """Image files below a folder, links followed, each real folder once (so a link to a parent ends)."""
    seen = set()
    for base, inner, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        inner.sort()  # which of two links to one folder counts must not depend on the file system
        for name in files:
            if Path(name).suffix[1:].lower() in EXTENSIONS and not name.startswith("."):
                yield Path(base) / name
