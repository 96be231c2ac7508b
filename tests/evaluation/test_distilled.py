"""The loss of distillation with labels against the formula, written out (Chen et al. 2020, arXiv:2006.10029, eq. 3)."""

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from torch import Tensor, nn

from pipelines.evaluation.classifier import Classifier, Distilled

CLASSES, ROWS, TEMPERATURE, WEIGHT = 5, 6, 0.5, 0.25
LABEL = torch.tensor([0, 4, 2, 2, 1, 3])


def classifier(seed: int) -> Classifier:
    torch.manual_seed(seed)
    made = Classifier(LinearEncoder(10, nn.Linear(10, 10)), nn.Identity(), 10, CLASSES)
    nn.init.normal_(made.linear.weight)
    return made


def soft(student: Tensor, teacher: Tensor) -> Tensor:
    """(ROWS,): what each row adds to the distillation."""
    return -((teacher / TEMPERATURE).softmax(1) * (student / TEMPERATURE).log_softmax(1)).sum(1)


@pytest.mark.parametrize("known", [[0, 3], [5], []])
def test_a_quarter_is_the_mean_over_labelled_images_and_the_rest_over_all(known):
    labelled = torch.zeros(ROWS, dtype=torch.bool)
    labelled[known] = True
    student, teacher = classifier(0), classifier(1)
    method = Distilled(student, teacher, labelled, temperature=TEMPERATURE, label_weight=WEIGHT, squared=False)
    images = torch.randn(ROWS, 10, generator=torch.Generator().manual_seed(2))
    found = method.loss([images], batch(ROWS, label=LABEL), progress()).loss
    scores = student.logits(images)
    hard = -scores.log_softmax(1)[known, LABEL[known]].sum() / max(1, len(known))
    torch.testing.assert_close(found, 0.75 * soft(scores, teacher.logits(images)).mean() + 0.25 * hard)
