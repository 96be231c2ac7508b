"""Which rows of train judge a choice of settings: the held-out slice where it is large enough, else all of train in turns.

A slice of 144 rows chooses by chance. Measured on digits, 3 seeds each of an untrained ResNet-10 and six pretrained encoders
(supervised, SimCLR, BYOL, InstDisc, MAE, MoCo v2), a linear probe's top-1 on test, mean (sd over
200 resamples of the slice, and over three sets of folds):

    chosen on      untrained      pretrained, mean of six
    the slice      83.0 (0.74)    94.1 (0.33)
    five folds     83.5 (0.00)    94.1 (0.07)

although pretraining saw the rows of the folds, and with labels for the supervised one (98.4 by the slice, 98.3 by folds).
Few-shot strengths chosen on all rows that a draw does not use cost, against the best strength, at most 0.9 points where the
slice cost up to 2.9 (pretrained; mean over 6 draws of 1 shot), and 0.2 instead of 4.6 (untrained, 12 slices).
"""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from pipelines.evaluation.features import Features

ENOUGH = 500
"""Rows of a held-out slice that choose alone: the standard error of 0.9 on them is 1.3 points."""
FOLDS = 5


class Judging(NamedTuple):
    """How it is called in a record, and pairs of positions into train: rows to learn from, rows to judge on."""

    by: str
    parts: list[tuple[Tensor, Tensor]]


def judging(features: Features, choices: int) -> Judging:
    """For so many choices: the held-out slice (``holdout``), or stratified folds of all of train (``cv5``), always the same.

    The slice where it has ``ENOUGH`` rows, or there is nothing to choose; folds that a class has too few rows for are fewer.
    Nothing to judge on where no slice is held out.
    """
    return judging_rows(features.train_label, features.fit, features.holdout, choices)


def judging_rows(train_label: Tensor, fit: Tensor, holdout: Tensor, choices: int) -> Judging:
    """The same of rows with train_label (n,) whose positions are in ``fit`` or in ``holdout``."""
    label = train_label.cpu().numpy()
    folds = min(FOLDS, int(np.bincount(label).max()))
    if choices == 1 or len(holdout) >= ENOUGH or folds < 2:
        return Judging("holdout", [(fit, holdout)] if len(holdout) else [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes with fewer rows than folds are missing from some
        parts = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(label, label))
    device = train_label.device
    return Judging(f"cv{folds}", [(torch.from_numpy(a).to(device), torch.from_numpy(b).to(device)) for a, b in parts])


def draws_judged_by(features: Features) -> str:
    """How the rows of ``judges_of_draw`` are called in a record."""
    return "holdout" if len(features.holdout) >= ENOUGH else "rest_of_train"


def judges_of_draw(features: Features, drawn: Tensor) -> Tensor:
    """Positions into train that judge what was learnt from those ``drawn``: the held-out ones, or all the others.

    Of a held-out slice those that were not drawn; all the others also where none of it is left.
    """
    left = torch.ones(len(features.train), dtype=torch.bool, device=drawn.device)
    left[drawn] = False
    held = features.holdout[left[features.holdout]]
    return held if len(features.holdout) >= ENOUGH and len(held) else left.nonzero().squeeze(1)
