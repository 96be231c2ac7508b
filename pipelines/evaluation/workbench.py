"""What a protocol that trains on images works with. The pieces are put together elsewhere and handed in."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.evaluation.accuracy import accuracies, certainty, predicted
from pipelines.evaluation.classifier import Classifier
from pipelines.methods.base import Method
from pipelines.spec.counts import Counts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.parts import OnImages

Rows = NDArray[np.int64]
"""(n,) sorted positions in the train split."""


MakeViews = Callable[[Batch, torch.Generator], list[Tensor]]
"""Batch and generator -> float views."""


def as_they_are(make: MakeViews) -> MakeViews:
    """No change to the views."""
    return make


class Base(NamedTuple):
    """Where a classifier starts: an encoder, the kept head layers, and their output width."""

    encoder: Encoder
    head: nn.Module
    width: int

    def normed(self, final_norm: bool) -> nn.Module:
        """The kept head, with a new layer norm behind it where one is wanted."""
        return nn.Sequential(self.head, nn.LayerNorm(self.width, eps=1e-6)) if final_norm else self.head


class Workbench(Protocol):
    """The images of a data set, and the weights a protocol may start from.

    train_label  (n,) class numbers of the train split, -1 where there is none
    holdout      (h,) sorted positions in train kept for choosing; may be empty
    num_classes  number of classes
    counts       labelled images of each class
    seed         the run's
    """

    train_label: Rows
    holdout: Rows
    num_classes: int
    counts: Counts
    seed: int

    def base(self, head_layers: int) -> Base:
        """The encoder that is evaluated, its weights loaded, with the first layers of its head."""

    def fresh(self, encoder: EncoderOptions | None) -> Base:
        """An encoder drawn from the seed; none: of the kind that is evaluated."""

    def teacher(self, head_layers: int, final_norm: bool) -> Classifier:
        """The classifier that the teacher's job left, its weights loaded."""

    def fit(
        self, method: Method, options: OnImages, rows: Rows, changed: Callable[[MakeViews], MakeViews] = as_they_are
    ) -> dict[str, Any]:
        """Train on these images, on the views that ``changed`` makes of crops; numbers that follow from it."""

    def whole(self, rows: Rows) -> Iterator[Tensor]:
        """These images of train in order, each whole and unchanged, as the encoder takes them: (n, 3, h, w) batches."""

    def test(self, classifier: Classifier) -> tuple[Tensor, Tensor]:
        """Scores (m, C) and labels (m,) of the labelled test images, each whole and unchanged."""


class Outcome(NamedTuple):
    """What a protocol on images measured: metrics on test, derived numbers, the classifier that met test, the class it named
    for every labelled test image (m,) with its probability (m,), and metrics of those it was chosen from on the rows that
    judged them."""

    metrics: dict[str, float]
    derived: dict[str, Any]
    classifier: Classifier
    predicted: Tensor
    score: Tensor
    holdout: dict[str, float]

    @classmethod
    def on_test(
        cls, bench: Workbench, classifier: Classifier, derived: dict[str, Any], holdout: dict[str, float] | None = None
    ) -> "Outcome":
        """The classifier meets test, once: top1, top5 and mean_per_class."""
        scores, label = bench.test(classifier)
        numbers = accuracies(scores, label)
        return cls(numbers, derived, classifier, predicted(scores), certainty(scores), holdout or {})


def as_mask(rows: Rows, count: int) -> Tensor:
    """(count,) bool, true at ``rows``."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[torch.from_numpy(rows)] = True
    return mask
