"""Zero-shot classification: an image's class is the one whose described name is nearest (Radford et al. 2021,
arXiv:2103.00020, section 3.1). No label is used, for training or choosing.

A class weight is the mean over templates of the unit text features, normalised again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.evaluation.accuracy import accuracies, certainty, predicted
from pipelines.evaluation.checks import check_finite, class_counts
from pipelines.evaluation.measured import Measured
from pipelines.losses.clip import zero_shot_classifier, zero_shot_logits
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot


@dataclass(frozen=True)
class ImagesAndTexts:
    """What a method makes of test images and class names, in their common space.

    image  (m, D) unit rows
    label  (m,) int64 in 0 .. C - 1
    text   (C, T, D) unit rows: C class names in T templates
    """

    image: Tensor
    label: Tensor
    text: Tensor


def check(options: ZeroShot, features: ImagesAndTexts) -> None:
    """InputError unless all is finite, and test has rows of two classes at least."""
    check_finite("zero_shot", "test", features.image)
    check_finite("zero_shot", "the class names", features.text)
    none = (0,) * len(features.text)
    options.check_counts(Counts(none, none, class_counts(features.label, len(features.text))))


def measure(options: ZeroShot, features: ImagesAndTexts, generator: torch.Generator | None = None) -> Measured:
    """top1, top5 and mean_per_class on test. Nothing is drawn: ``generator`` is not used. InputError: see ``check``."""
    check(options, features)
    scores = zero_shot_logits(features.image, zero_shot_classifier(features.text))
    return Measured(accuracies(scores, features.label), predicted=predicted(scores), score=certainty(scores))
