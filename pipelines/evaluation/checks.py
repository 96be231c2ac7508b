"""What no protocol can measure, refused by the protocol's name before anything is computed."""

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.evaluation.features import Features


def check_features(protocol: str, features: Features) -> None:
    """InputError unless every feature is finite and every class has rows in train and in test."""
    for split, rows in (("train", features.train), ("test", features.test)):
        check_finite(protocol, split, rows)
    for split, label in (("train", features.train_label), ("test", features.test_label)):
        check_classes(protocol, split, label, features.num_classes)


def check_finite(protocol: str, what: str, rows: Tensor) -> None:
    """InputError when one of rows (n, ...) holds NaN or infinity."""
    if bad := int((~rows.isfinite()).flatten(1).any(1).sum()):
        raise InputError(
            f"evaluation.{protocol}: {bad} of {len(rows)} rows of {what} hold NaN or infinity; did training diverge?"
        )


def check_classes(protocol: str, split: str, label: Tensor, num_classes: int) -> None:
    """InputError unless label (n,) has at least two classes, and all of num_classes."""
    counts = torch.bincount(label, minlength=num_classes)
    found = (counts > 0).nonzero().squeeze(1).tolist()
    if len(found) < 2:
        raise InputError(
            f"evaluation.{protocol}: {split} has rows of {f'class {found[0]} alone' if found else 'no class'}, and telling "
            "classes apart needs two; take a data set, or more of it, with several classes"
        )
    if missing := (counts == 0).nonzero().squeeze(1).tolist():
        raise InputError(
            f"evaluation.{protocol}: {split} has no row of class {_listed(missing)} ({len(found)} of {num_classes} classes "
            "occur); take more of the data set, or leave the class out of it"
        )


def check_held_out(protocol: str, features: Features, choices: int, what: str, way_out: str) -> None:
    """InputError when there is something to choose (``choices`` above 1) and nothing is held out to choose on."""
    if choices > 1 and not len(features.holdout):
        raise InputError(
            f"evaluation.{protocol}: {choices} {what}, but nothing is held out to choose on; set the data set's holdout "
            f"above 0 or {way_out}"
        )


def _listed(numbers: list[int]) -> str:
    """``3``, ``3, 5``, ``3, 5, 7 and 12 more``."""
    shown = ", ".join(map(str, numbers[:3]))
    return shown if len(numbers) <= 3 else f"{shown} and {len(numbers) - 3} more"
