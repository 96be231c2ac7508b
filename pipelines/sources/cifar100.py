"""CIFAR-100: 50,000 + 10,000 colour images of 32 x 32 pixels in 100 classes (Krizhevsky 2009)."""

from pipelines.sources.base import Source
from pipelines.sources.cifar10 import read_cifar
from pipelines.spec.datasets.cifar100 import Options as CIFAR100


def read(options: CIFAR100) -> Source:
    """torchvision's copy, whose checksums torchvision verifies before it unpickles anything."""
    return read_cifar("CIFAR100", options)
