"""DINO: a student matches a centred, sharpened teacher over crops (Caron et al. 2021, arXiv:2104.14294, eq. 2 to 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipelines.losses.swav import swapped_prediction


@torch.no_grad()
def teacher_targets(teacher: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """The teacher's distributions softmax((t - c) / T), constants. teacher (..., K); centre (K,) or (1, K)."""
    return ((teacher - centre) / temperature).softmax(-1)


def dino_loss(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    centre: Tensor,
    student_temperature: float,
    teacher_temperature: float,
) -> Tensor:
    """Mean cross entropy over the rows and over all pairs (teacher crop i, student crop v != i): 0-d, nats.

    student  (B, K) outputs of all V crops, the global ones first; teacher (B, K) outputs of the global crops
    centre   (1, K), subtracted from the teacher's outputs; update it after this call, with ``next_centre``
    """
    targets = [teacher_targets(output, centre, teacher_temperature) for output in teacher]
    return swapped_prediction(targets, range(len(targets)), student, student_temperature)


@torch.no_grad()
def next_centre(centre: Tensor, mean_output: Tensor, momentum: float) -> Tensor:
    """The centre (1, K) for the next step: momentum x centre + (1 - momentum) x mean_output.

    mean_output (1, K) or (K,) is the mean of the teacher's raw outputs (neither centred nor sharpened) over the rows
    of all global crops and of all processes.
    """
    return centre.lerp(mean_output.to(centre.dtype).expand_as(centre), 1 - momentum)


def teacher_temperature(epoch: int, start: float, end: float, warmup_epochs: int) -> float:
    """The teacher's temperature in ``epoch`` (whole, from 0): linear from ``start`` to ``end``, then ``end``.

    The last of the warm-up epochs has reached ``end`` already; a single one stays at ``start``.
    """
    if epoch >= warmup_epochs:
        return end
    return start + (end - start) * epoch / max(warmup_epochs - 1, 1)


@torch.no_grad()
def entropy(probabilities: Tensor) -> Tensor:
    """Mean entropy of distributions (..., K): 0-d, nats, in [0, ln K].

    Of the teacher's targets it shows both ways of collapse: near ln K the output is uniform, near 0 one entry rules.
    """
    return torch.special.entr(probabilities).sum(-1).mean()
