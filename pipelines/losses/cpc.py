"""CPC on images: predict the patch codes k rows below (van den Oord et al. 2018, arXiv:1807.03748, eq. 3 and 4).

There is no official code. Two choices of negatives are common and both are here: every patch of the batch (DeepMind's
CPC v2 pseudo-code), or a few drawn ones (Greedy InfoMax). No row is normalised and there is no temperature. The columns
of a grid are kept: code and context of one prediction share the column.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def cpc_all_patches(codes: Tensor, context: Tensor, weights: Tensor, *, skip: int = 0, offset: int = 0) -> Tensor:
    """InfoNCE over all patches of the batch, one loss a step (K,), nats, mean over positions; average it for the loss.

    codes (M, Cz, H, W), context (N, Cc, H, W), weights (K, Cz, Cc); M >= N images of which context's start at ``offset``
    (M = N on one process). Step k = 1 .. K: W_k c[r] against every code of the batch, the right one k + skip rows below.
    Rows whose target lies outside the grid are left out, so K + skip < H.
    """
    images, _, height, width = codes.shape
    _check_reach(len(weights), skip, height)
    classes = codes.permute(0, 2, 3, 1).flatten(0, 2)  # (N H W, Cz), order image, row, column
    place = torch.arange(len(classes), device=codes.device).view(images, height, width)
    losses = []
    for step, weight in enumerate(weights, start=1):
        reach = step + skip
        anchors = context[:, :, : height - reach].permute(0, 2, 3, 1).flatten(0, 2)  # (N (H - reach) W, Cc)
        labels = place[offset : offset + len(context), reach:].flatten()
        losses.append(F.cross_entropy(anchors @ weight.T @ classes.T, labels))
    return torch.stack(losses)


def cpc_sampled(
    codes: Tensor, context: Tensor, weights: Tensor, negatives: list[Tensor], *, skip: int = 1, eps: float = 1e-11
) -> Tensor:
    """InfoNCE against drawn patches, one loss a step (K,), nats, mean over positions; average it for the loss.

    codes (N, Cz, H, W), context (N, Cc, H, W), weights (K, Cc, Cz): here W_k multiplies the code. Step k pairs context
    row r with code row r + k + skip; the default skip leaves out the row that overlaps half of the context's own.
    negatives[k - 1] (H - k - skip, W, N, n) int64 picks n codes for each anchor among the rows from k + skip on,
    counted in the order row, column, image (``draw_cpc_negatives``). The loss is -log(softmax of the positive + eps).
    """
    height = codes.shape[2]
    _check_reach(len(weights), skip, height)
    assert len(negatives) == len(weights), f"{len(negatives)} draws for {len(weights)} steps"
    by_position_z, by_position_c = codes.permute(2, 3, 0, 1), context.permute(2, 3, 0, 1)  # (H, W, N, C)
    losses = []
    for step, (weight, drawn) in enumerate(zip(weights, negatives, strict=True), start=1):
        reach = step + skip
        anchors = by_position_c[: height - reach]
        targets = by_position_z[reach:] @ weight.T  # (H - reach, W, N, Cc)
        positive = (targets * anchors).sum(dim=-1, keepdim=True)
        negative = (targets.flatten(0, 2)[drawn] @ anchors.unsqueeze(-1)).squeeze(-1)
        share = torch.cat([positive, negative], dim=-1).softmax(dim=-1)[..., 0]
        losses.append(-torch.log(share + eps).mean())
    return torch.stack(losses)


def draw_cpc_negatives(
    steps: int, images: int, height: int, width: int, count: int, generator: torch.Generator, *, skip: int = 1
) -> list[Tensor]:
    """For each step (rows, width, images, count) int64 places among that step's codes; may hit the positive."""
    _check_reach(steps, skip, height)
    rows = [height - step - skip for step in range(1, steps + 1)]
    return [
        torch.randint(r * width * images, (r, width, images, count), generator=generator, device=generator.device)
        for r in rows
    ]


def _check_reach(steps: int, skip: int, height: int) -> None:
    assert steps + skip < height, f"{steps} steps beyond {skip} skipped rows leave a grid of {height} rows"
