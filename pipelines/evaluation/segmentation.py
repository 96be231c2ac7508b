"""Segmentation by a linear probe: the class of every place of a frozen encoder's last feature map, scored on pixels.

Softmax regression on the rows of the map (DINOv2's linear protocol, Oquab et al. 2023, arXiv:2304.07193, section 7.4: logits
of the patches, made larger bilinearly). A place learns the shares of the classes in its cell, which is the pixels' own
cross entropy where logits are the same all over a cell. The problem is convex; L2 regularisation of the weights is chosen
on the held-out images by the same number that test reports, and what is chosen learns from all of train.

Differs from DINOv2's: no batch norm but features scaled to mean squared length 1, no augmentation, one scale, and images are
centre squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.errors import InputError
from pipelines.evaluation.checks import check_finite
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.scaling import Scaling
from pipelines.spec.evaluation.segmentation import Options as Segmentation

VOID = 255
"""Pixels of this number are asked of nobody."""
IMAGES = 16
"""Images whose pixels are scored at once."""


@dataclass(frozen=True)
class Maps:
    """Feature maps of images with the class of every pixel.

    train, test            (n, F, h, w), (m, F, h, w) float32
    train_mask, test_mask  (n, S, S), (m, S, S) uint8: 0 .. C - 1, or VOID
    holdout                (k,) int64, positions in train kept for choosing; may be empty
    names                  of the C classes
    """

    train: Tensor
    train_mask: Tensor
    test: Tensor
    test_mask: Tensor
    holdout: Tensor
    names: Sequence[str]


@dataclass(frozen=True)
class Places:
    """Weight (F, C) and bias (C,) on rows scaled by ``scaling``."""

    scaling: Scaling
    weight: Tensor
    bias: Tensor

    def logits(self, maps: Tensor) -> Tensor:
        """(n, F, h, w) -> (n, C, h, w)."""
        return (self.scaling(maps.movedim(1, -1)) @ self.weight + self.bias).movedim(-1, 1)


def shares_of(mask: Tensor, num_classes: int, size: tuple[int, int]) -> Tensor:
    """(n, S, S) -> (n, C, h, w): how much of each cell every class fills; what is void fills nothing."""
    parts = []
    for part in mask.split(IMAGES):
        one_hot = F.one_hot(part.long().clamp(max=num_classes), num_classes + 1)[..., :num_classes]
        parts.append(F.adaptive_avg_pool2d(one_hot.movedim(-1, 1).float(), size))
    return torch.cat(parts)


def train(maps: Tensor, shares: Tensor, strength: float, iterations: int) -> Places:
    """The minimum of the cells' mean cross entropy + strength / 2 x the squared weights (not the biases).

    maps (n, F, h, w), shares (n, C, h, w); a cell weighs as much as of it is not void. L-BFGS from zero.
    """
    rows, target = maps.movedim(1, -1).flatten(0, 2), shares.movedim(1, -1).flatten(0, 2)
    scaling = Scaling.of(rows, standardise=False)
    scaled, total = scaling(rows), target.sum().clamp(min=1e-12)
    weight = rows.new_zeros(rows.shape[1], target.shape[1]).requires_grad_()
    bias = rows.new_zeros(target.shape[1]).requires_grad_()
    solver = torch.optim.LBFGS([weight, bias], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        log = F.log_softmax(scaled @ weight + bias, dim=1)
        loss = -(target * log).sum() / total + strength / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[no-untyped-call]
    return Places(scaling, weight.detach(), bias.detach())


def counted(places: Places, maps: Tensor, mask: Tensor) -> Tensor:
    """(n, C, C) int64: of an image's pixels of each class (row), how many were named as each (column), without the void."""
    C, found = len(places.bias), []
    for part, truth in zip(maps.split(IMAGES), mask.split(IMAGES)):
        size = (truth.shape[-2], truth.shape[-1])
        named = F.interpolate(places.logits(part), size=size, mode="bilinear", align_corners=False).argmax(1)
        for one, said in zip(truth, named):
            asked = one != VOID
            found.append(torch.bincount(one[asked].long() * C + said[asked], minlength=C * C).view(C, C))
    return torch.stack(found)


def intersection_over_union(counts: Tensor) -> Tensor:
    """(C,) in [0, 1] of (C, C) counts: a class's pixels that were named so, over those that are or were; NaN for no such."""
    right = counts.diagonal().double()
    return right / (counts.sum(0) + counts.sum(1) - counts.diagonal())


def check(options: Segmentation, given: Maps) -> None:
    """InputError unless all is finite and masks fit, and images are held out where there is a choice."""
    check_finite("segmentation", "train", given.train)
    check_finite("segmentation", "test", given.test)
    for split, mask in (("train", given.train_mask), ("test", given.test_mask)):
        wrong = mask[(mask >= len(given.names)) & (mask != VOID)]
        if len(wrong) or not bool((mask != VOID).any()):
            what = f"class {int(wrong.max())} of {len(given.names)}" if len(wrong) else "no pixel with a class"
            raise InputError(f"evaluation.segmentation: masks of {split} have {what}; pack the data set anew")
    if len(options.strengths) > 1 and not len(given.holdout):
        raise InputError(
            f"evaluation.segmentation: {len(options.strengths)} strengths, but nothing is held out to choose on; set the data "
            "set's holdout above 0 or give one strength"
        )


def measure(options: Segmentation, given: Maps) -> Measured:
    """miou on test over the classes that occur or are named there, iou/NAME of each, pixel_accuracy, and the strength.

    answers: right, named and truth (m, C), pixels of each test image that are of a class and named so, named so, and are so.
    InputError: see ``check``.
    """
    check(options, given)
    shares = shares_of(given.train_mask, len(given.names), (given.train.shape[-2], given.train.shape[-1]))
    strength, held = _choice(options, given, shares)
    by_image = counted(train(given.train, shares, strength, options.iterations), given.test, given.test_mask)
    counts = by_image.sum(0)
    each = intersection_over_union(counts)
    named = {f"iou/{name}": value for name, value in zip(given.names, each.tolist()) if value == value}
    test = {"miou": each.nanmean().item(), "pixel_accuracy": (counts.diagonal().sum() / counts.sum()).item()}
    told = {"right": by_image.diagonal(dim1=1, dim2=2), "named": by_image.sum(1), "truth": by_image.sum(2)}
    answers = {name: value.cpu().numpy().astype(np.uint32) for name, value in told.items()}
    return Measured(test=test | named, holdout=held, chosen={"strength": strength}, answers=answers)


def _choice(options: Segmentation, given: Maps, shares: Tensor) -> tuple[float, dict[str, float]]:
    """The strength of the highest mean intersection over union on the held-out images, the first of equals, and all of them."""
    if len(options.strengths) == 1:
        return options.strengths[0], {}
    kept = torch.ones(len(given.train), dtype=torch.bool, device=given.train.device)
    kept[given.holdout] = False
    judged = given.train[given.holdout], given.train_mask[given.holdout]
    found = {}
    for strength in options.strengths:
        places = train(given.train[kept], shares[kept], strength, options.iterations)
        found[strength] = intersection_over_union(counted(places, *judged).sum(0)).nanmean().item()
    best = max(found, key=lambda strength: found[strength])
    return best, {"miou": found[best], **{f"miou/strength_{one:g}": value for one, value in found.items()}}
