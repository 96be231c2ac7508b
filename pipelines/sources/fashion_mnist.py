"""Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 pixels in 10 classes (Xiao et al. 2017, arXiv:1708.07747)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.idx import read_four
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def read(options: FashionMNIST) -> Source:
    """The four idx files, each plain or gzipped. InputError where one is missing or not what it says."""
    return read_four(options, CLASSES, DEBIAN if DEBIAN.is_dir() else None)
