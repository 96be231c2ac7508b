"""STL-10: 96 x 96 colour pixels; 5,000 labelled, 100,000 unlabelled and 8,000 test images (Coates et al. 2011).

The binary files are mapped, not loaded: 2.9 GB of them.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.sources.base import Labels, Source, array_split
from pipelines.sources.download import FOLDER, downloaded
from pipelines.spec.datasets.stl10 import Options as STL10

IMAGE = (3, 96, 96)
"""Channels, columns, rows: the files are column-major."""
ADVICE = "set dataset.folder to the folder that holds stl10_binary/, or leave it out to download it to data/"


def read(options: STL10) -> Source:
    """Train is the labelled images, then the unlabelled ones (label -1) when they are asked for."""
    folder = (options.root or Path(FOLDER)) / "stl10_binary"
    if options.folder is None and not folder.is_dir():
        downloaded("STL10", None)
    images, labels = [_images(folder / "train_X.bin")], [_labels(folder / "train_y.bin")]
    _check(folder / "train_y.bin", labels[0], images[0])
    if options.unlabelled:
        images.append(_images(folder / "unlabeled_X.bin"))
        labels.append(np.full(len(images[1]), -1, np.int64))
    test_images, test_labels = _images(folder / "test_X.bin"), _labels(folder / "test_y.bin")
    _check(folder / "test_y.bin", test_labels, test_images)
    return Source(
        classes=tuple(_bytes(folder / "class_names.txt").tobytes().decode().split()),
        train=array_split("train", Joined(images), np.concatenate(labels)),
        test=array_split("test", Joined([test_images]), test_labels),
    )


class Joined:
    """Several (N, 3, columns, rows) arrays as one sequence of (96, 96, 3) images."""

    def __init__(self, parts: list[NDArray[np.uint8]]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, position: int) -> NDArray[np.uint8]:
        for part in self.parts:
            if position < len(part):
                return np.ascontiguousarray(part[position].transpose(2, 1, 0))
            position -= len(part)
        raise IndexError(position)


def _bytes(path: Path) -> NDArray[np.uint8]:
    if not path.is_file() or path.stat().st_size == 0:
        raise InputError(f"{path}: missing or empty; {ADVICE}")
    return np.memmap(path, np.uint8, mode="r")


def _images(path: Path) -> NDArray[np.uint8]:
    data, each = _bytes(path), int(np.prod(IMAGE))
    if len(data) % each:
        raise InputError(f"{path}: {len(data)} bytes are not a whole number of images of {each} bytes; {ADVICE}")
    return data.reshape(-1, *IMAGE)


def _labels(path: Path) -> Labels:
    labels = _bytes(path).astype(np.int64) - 1
    if labels.min() < 0 or labels.max() > 9:
        raise InputError(f"{path}: labels {labels.min() + 1} to {labels.max() + 1}; they are 1 to 10; {ADVICE}")
    return labels


def _check(path: Path, labels: Labels, images: NDArray[np.uint8]) -> None:
    if len(labels) != len(images):
        raise InputError(f"{path}: {len(labels)} labels for {len(images)} images; {ADVICE}")
