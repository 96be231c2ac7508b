"""Distillation of a fine-tuned teacher into a student (SimCLR v2, Chen et al. 2020, arXiv:2006.10029, eq. 2).

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
