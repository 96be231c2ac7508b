"""What no protocol can measure, refused by the protocol's name before anything is computed."""

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.evaluation.features import Features, not_finite
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.base import Protocol


def check_features(options: Protocol, features: Features) -> None:
    """InputError unless every feature is finite and there are images enough for the protocol."""
    for split, rows in (("train", features.train), ("test", features.test)):
        check_finite(options.use, split, rows)
    options.check_counts(counts_of(features))


def check_finite(protocol: str, what: str, rows: Tensor) -> None:
    """InputError when one of rows (n, ...) holds NaN or infinity."""
    if bad := not_finite(rows):
        raise InputError(
            f"evaluation.{protocol}: {bad} of {len(rows)} rows of {what} hold NaN or infinity; did training diverge?"
        )


def counts_of(features: Features) -> Counts:
    """Rows of each class."""
    held = features.train_label[features.holdout]
    labels = (features.train_label, held, features.test_label)
    train, held_out, test = (class_counts(label, features.num_classes) for label in labels)
    return Counts(train, held_out, test)


def class_counts(label: Tensor, num_classes: int) -> tuple[int, ...]:
    """How many of label (n,) int64, none negative, are of each class."""
    return tuple(torch.bincount(label, minlength=num_classes).tolist())
