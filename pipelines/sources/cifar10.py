"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 pixels in 10 classes (Krizhevsky 2009)."""

from typing import Any

import numpy as np

from pipelines.sources.base import Source, Split, SplitName, array_split
from pipelines.sources.download import downloaded
from pipelines.spec.datasets.cifar10 import Options as CIFAR10
from pipelines.spec.datasets.cifar100 import Options as CIFAR100


def read(options: CIFAR10) -> Source:
    """torchvision's copy, whose checksums torchvision verifies before it unpickles anything."""
    return read_cifar("CIFAR10", options)


def read_cifar(name: str, options: CIFAR10 | CIFAR100) -> Source:
    """CIFAR10 or CIFAR100 (torchvision's names), which differ in the files' names and the classes only."""
    train = downloaded(name, options.root, train=True)
    test = downloaded(name, options.root, train=False)
    return Source(tuple(train.classes), _split("train", train), _split("test", test))


def _split(name: SplitName, data: Any) -> Split:
    return array_split(name, data.data, np.asarray(data.targets, np.int64))
