"""Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 pixels in 10 classes (Xiao et al. 2017, arXiv:1708.07747)."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.sources.base import Source, Split, SplitName, array_split
from pipelines.sources.download import downloaded
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST
from pipelines.spec.datasets.fashion_mnist import idx_file

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PREFIX: dict[SplitName, str] = {"train": "train", "test": "t10k"}


def read(options: FashionMNIST) -> Source:
    """The four idx files, each plain or gzipped. InputError where one is missing or not what it says."""
    folder = _folder(options)
    return Source(CLASSES, train=_split(folder, "train"), test=_split(folder, "test"))


def _folder(options: FashionMNIST) -> Path:
    if options.root is not None:
        return options.root
    if DEBIAN.is_dir():
        return DEBIAN
    downloaded("FashionMNIST", None)
    return Path("data/FashionMNIST/raw")


def _split(folder: Path, name: SplitName) -> Split:
    images = read_idx(idx_file(folder, f"{PREFIX[name]}-images-idx3-ubyte"), dimensions=3)
    labels_file = idx_file(folder, f"{PREFIX[name]}-labels-idx1-ubyte")
    labels = read_idx(labels_file, dimensions=1)
    if len(labels) != len(images):
        raise InputError(f"{labels_file}: {len(labels)} labels for {len(images)} images; fetch the files anew")
    if len(labels) and labels.max() >= len(CLASSES):
        raise InputError(
            f"{labels_file}: label {labels.max()}; labels are 0 to {len(CLASSES) - 1}; fetch the files anew"
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
