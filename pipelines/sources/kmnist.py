"""Kuzushiji-MNIST: cursive Japanese characters in MNIST's form (Clanuwat et al. 2018, arXiv:1812.01718)."""

from pipelines.sources.base import Source
from pipelines.sources.idx import read_four
from pipelines.spec.datasets.kmnist import Options as KMNIST

CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def read(options: KMNIST) -> Source:
    """The four idx files, each plain or gzipped. InputError where one is missing or not what it says."""
    return read_four(options, CLASSES)
