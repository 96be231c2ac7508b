"""MNIST: 60,000 + 10,000 handwritten digits, grey, 28 x 28 pixels (LeCun et al. 1998, Proceedings of the IEEE 86)."""

from pipelines.sources.base import Source
from pipelines.sources.idx import read_four
from pipelines.spec.datasets.mnist import Options as MNIST


def read(options: MNIST) -> Source:
    """The four idx files, each plain or gzipped. InputError where one is missing or not what it says."""
    return read_four(options, tuple("0123456789"))
