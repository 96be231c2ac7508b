"""Distillation of a fine-tuned teacher into a student (SimCLR v2, Chen et al. 2020, arXiv:2006.10029, eq. 2 and 3).

Differs from the released function: that multiplies by t^2, the paper does not. ``squared_scale=True`` gives that form.
"""

import torch.nn.functional as F
from torch import Tensor


def distillation(student: Tensor, teacher: Tensor, temperature: float, *, squared_scale: bool = False) -> Tensor:
    """Cross entropy between the teacher's and the student's softened predictions, mean over rows, nats.

    student, teacher (N, C) logits, no gradient into the teacher; temperature > 0 on both sides
    (0.1 for self-distillation, 1 for a smaller student).
    """
    wanted = F.softmax(teacher.detach() / temperature, dim=1)
    loss = -(wanted * F.log_softmax(student / temperature, dim=1)).sum(dim=1).mean()
    return temperature**2 * loss if squared_scale else loss


def distillation_with_labels(
    student: Tensor, teacher: Tensor, labels: Tensor, weight: float, temperature: float
) -> Tensor:
    """(1 - weight) * cross entropy with the labels + weight * distillation (eq. 3), weight in [0, 1].

    labels (N,) int64, -1 where there is none: cross entropy is the mean over labelled rows, 0 when there are none.
    """
    labelled = (labels != -1).sum().clamp(min=1)
    supervised = F.cross_entropy(student, labels, ignore_index=-1, reduction="sum") / labelled
    return (1 - weight) * supervised + weight * distillation(student, teacher, temperature)
