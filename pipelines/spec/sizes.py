"""How many training images a known data set has, so that planning can refuse what cannot work."""

from typing import Any

from pipelines.spec.datasets import CIFAR10, CIFAR100, STL10, AnyDataSet, DataSet, Digits, FashionMNIST
from pipelines.spec.parse import parse


def train_images(dataset: DataSet) -> int | None:
    """Images in train, before the held-out slice is taken; none: only the shards will tell."""
    match dataset:
        case Digits():
            known = 1438  # 1,797 less every fifth
        case FashionMNIST():
            known = 60000
        case CIFAR10() | CIFAR100():
            known = 50000
        case STL10():
            known = 105000 if dataset.unlabelled else 5000
        case _:
            return None
    return min(known, dataset.limit or known)


def pretraining_images(dataset: DataSet) -> int | None:
    """About how many images pretraining sees: train without the held-out slice; the shards know exactly."""
    known = train_images(dataset)
    return None if known is None else known - round(known * dataset.holdout)


def train_images_of(dataset: dict[str, Any]) -> int | None:
    """The same for a data set in a job's spec (plain JSON values)."""
    parsed: DataSet = parse(AnyDataSet, dataset, "dataset")
    return train_images(parsed)
