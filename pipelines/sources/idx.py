"""MNIST's format: four idx files, each plain or gzipped, of images and of labels (LeCun et al. 1998)."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.sources.base import Source, Split, SplitName, array_split
from pipelines.sources.download import FOLDER, downloaded
from pipelines.spec.datasets.parts import IdxFiles

PREFIX: dict[SplitName, str] = {"train": "train", "test": "t10k"}


def read_four(options: IdxFiles, classes: tuple[str, ...], installed: Path | None = None) -> Source:
    """The four files of the folder that the options name, else of ``installed``, else of a download.

    InputError where one is missing or not what it says.
    """
    folder = options.root or installed
    if folder is None:
        downloaded(options.inner, None)
        folder = Path(FOLDER) / options.inner / "raw"
    train, test = (_split(options, folder, name, len(classes)) for name in PREFIX)
    return Source(classes, train, test)


def _split(options: IdxFiles, folder: Path, name: SplitName, num_classes: int) -> Split:
    images = read_idx(options.file(folder, f"{PREFIX[name]}-images-idx3-ubyte"), dimensions=3)
    labels_file = options.file(folder, f"{PREFIX[name]}-labels-idx1-ubyte")
    labels = read_idx(labels_file, dimensions=1)
    if len(labels) != len(images):
        raise InputError(f"{labels_file}: {len(labels)} labels for {len(images)} images; fetch the files anew")
    if len(labels) and labels.max() >= num_classes:
        raise InputError(
            f"{labels_file}: label {labels.max()}; labels are 0 to {num_classes - 1}; fetch the files anew"
        )
    return array_split(name, images, labels.astype(np.int64))


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of an idx file of bytes: magic 0 0 8 D, D big-endian 32-bit sizes, then exactly that many bytes."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch the file anew") from None
    start = 4 + 4 * dimensions
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) < start:
        raise InputError(f"{path}: not an idx file of bytes with {dimensions} dimensions (it starts {data[:4].hex()})")
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, 4))
    if len(data) - start != int(np.prod(shape)):
        raise InputError(
            f"{path}: says {shape}, {np.prod(shape)} bytes, but holds {len(data) - start}; fetch the file anew"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
