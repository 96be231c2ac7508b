"""Losses with feature transformation written out, one function a method, as independent formulas.

They draw what the methods draw, in their order: of every pair the positive's factor, then the negatives' weight and their
permutation. Vectors are pushed and mixed as the paper writes it; nothing of the project's transformation is used.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.batch import Batch
from pipelines.losses.feature_transform import draw_negative_lambda, draw_positive_lambda
from pipelines.methods.bank import draw_slots
from pipelines.methods.base import Method, Progress
from pipelines.spec.methods.parts import FeatureTransform

Formula = Callable[[Method, list[Tensor], Batch, Progress], Tensor]


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def strength(ft: FeatureTransform, progress: Progress) -> float:
    return min(1.0, progress.epoch / ft.ramp_epochs) if ft.ramp_epochs else 1.0


def pushed(ft: FeatureTransform, q: Tensor, k: Tensor, progress: Progress) -> tuple[Tensor, Tensor]:
    """L q + (1 - L) k and L k + (1 - L) q."""
    if ft.positive is None:
        return q, k
    (n, d), how = q.shape, ft.positive.granularity
    shape = {"batch": (), "vector": (1, d), "sample": (n, 1), "dimension": (n, d)}[how]
    L = 1 + strength(ft, progress) * (draw_positive_lambda(ft.positive.alpha, shape, progress.generator).double() - 1)
    inside = q if ft.positive.key_gradient else q.detach()
    far = L * q + (1 - L) * k, L * k + (1 - L) * inside
    return (unit(far[0]), unit(far[1])) if ft.renormalise in ("positives", "both") else far


def positive_score(ft: FeatureTransform, pair: tuple[Tensor, Tensor], far: tuple[Tensor, Tensor]) -> Tensor:
    """(N,): the score of the pushed pair; a control has its value or its gradient from the pair as it was."""
    plain, harder = (pair[0] * pair[1]).sum(1), (far[0] * far[1]).sum(1)
    match ft.positive.keeps if ft.positive else "both":
        case "hardness":
            return harder.detach() + plain - plain.detach()
        case "gain":
            return plain.detach() + harder - harder.detach()
    return harder


def weight_of(ft: FeatureTransform, shape: tuple[int, ...], progress: Progress) -> Tensor:
    drawn = draw_negative_lambda(ft.negative.alpha, shape, progress.generator).double()
    return 1 - strength(ft, progress) * (1 - drawn)


def mixed(ft: FeatureTransform, rows: Tensor, progress: Progress) -> Tensor:
    """l n + (1 - l) n of another row."""
    if ft.negative is None:
        return rows
    count, d = rows.shape
    weight = weight_of(
        ft,
        {"batch": (), "vector": (1, d), "row": (count, 1), "dimension": (count, d)}[ft.negative.granularity],
        progress,
    )
    order = torch.randperm(count, generator=progress.generator)
    result = weight * rows + (1 - weight) * rows[order]
    if ft.negative.keeps == "length":
        result = rows * result.norm(dim=1, keepdim=True)
    if ft.renormalise in ("negatives", "both"):
        result = unit(result)
    return torch.cat([rows, result]) if ft.negative.queue == "union" else result


def softmax_loss(positive: Tensor, negative: Tensor, temperature: float) -> Tensor:
    """-log of the positive's share, the mean over anchors; positive (N,), negative (N, K)."""
    return (
        torch.logsumexp(torch.cat([positive[:, None], negative], 1) / temperature, 1) - positive / temperature
    ).mean()


def moco(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    ft, total = method.options.feature_transform, torch.zeros((), dtype=torch.float64)
    directions = [views, views[::-1]] if method.options.symmetric else [views]
    for first, second in directions:
        q, k = unit(method.head(method.encoder(first))), unit(method.key_head(method.key_encoder(second))).detach()
        far = pushed(ft, q, k, progress)
        negatives = mixed(ft, method.queue, progress)
        asks = far[0] if ft.negatives_meet == "extrapolated" else q
        total = total + softmax_loss(positive_score(ft, (q, k), far), asks @ negatives.T, method.options.temperature)
    return total


def simclr(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    """Anchor by anchor; the rows that are neither it nor its partner are its negatives."""
    ft, n, losses = method.options.feature_transform, len(views[0]), []
    q, k = unit(method.head(method.encoder(torch.cat(views)))).chunk(2)
    far = pushed(ft, q, k, progress)
    rows = torch.cat(far if ft.negatives_meet == "extrapolated" else (q, k))
    if ft.negative:
        weight, order = weight_of(ft, (), progress), torch.randperm(2 * n - 2, generator=progress.generator)
    positive = positive_score(ft, (q, k), far).repeat(2)
    for i in range(2 * n):
        negatives = rows[[j for j in range(2 * n) if j not in (i, (i + n) % (2 * n))]]
        if ft.negative:
            new = weight * negatives + (1 - weight) * negatives[order]
            negatives = torch.cat([negatives, new]) if ft.negative.queue == "union" else new
        losses.append(softmax_loss(positive[i : i + 1], (negatives @ rows[i])[None], method.options.temperature))
    return torch.stack(losses).mean()


def asked(
    ft: FeatureTransform, features: Tensor, bank: Tensor, slots: Tensor, temperature: float, progress: Progress
) -> Tensor:
    """An anchor's own slot is its key, the drawn ones its negatives, mixed in one order for all anchors."""
    key = bank[slots[:, 0]]
    far, drawn = pushed(ft, features, key, progress), bank[slots[:, 1:]]
    if ft.negative:
        weight, order = weight_of(ft, (), progress), torch.randperm(drawn.shape[1], generator=progress.generator)
        new = weight * drawn + (1 - weight) * drawn[:, order]
        drawn = torch.cat([drawn, new], 1) if ft.negative.queue == "union" else new
    asks = far[0] if ft.negatives_meet == "extrapolated" else features
    return softmax_loss(positive_score(ft, (features, key), far), torch.einsum("nd,nkd->nk", asks, drawn), temperature)


def instdisc(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    options, bank = method.options, method.bank.slots
    slots = draw_slots(batch.index, len(bank), options.num_negatives, progress.generator)
    features = unit(method.head(method.encoder(views[0])))
    return asked(options.feature_transform, features, bank, slots, options.temperature, progress)


def pirl(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    options, bank = method.options, method.bank.slots
    slots = draw_slots(batch.index, len(bank), options.num_negatives, progress.generator)
    patches = method.encoder(views[1].flatten(0, 1)).unflatten(0, views[1].shape[:2])
    both = unit(method.image_head(method.encoder(views[0]))), unit(method.jigsaw_head(patches))
    shares = 1 - options.jigsaw_weight, options.jigsaw_weight
    losses = [asked(options.feature_transform, rows, bank, slots, options.temperature, progress) for rows in both]
    return shares[0] * losses[0] + shares[1] * losses[1]


def cmc(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    options, total = method.options, torch.zeros((), dtype=torch.float64)
    slots = draw_slots(batch.index, len(method.banks[0].slots), options.num_negatives, progress.generator)
    features = [unit(head(branch)) for head, branch in zip(method.heads, method.encoder.each(views[0]))]
    for anchor, target in ((0, 1), (1, 0)):
        bank = method.banks[target].slots
        total = total + asked(options.feature_transform, features[anchor], bank, slots, options.temperature, progress)
    return total


def byol(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    """4 less twice the two dot products."""
    total = torch.tensor(4.0, dtype=torch.float64)
    for one, other in (views, views[::-1]):
        p = unit(method.predictor(method.projector(method.encoder(one))))
        t = unit(method.target_projector(method.target_encoder(other))).detach()
        far = pushed(method.options.feature_transform, p, t, progress)
        total = total - 2 * (far[0] * far[1]).sum(1).mean()
    return total


def simsiam(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    z, total = [method.projector(method.encoder(view)) for view in views], torch.zeros((), dtype=torch.float64)
    for i in (0, 1):
        target = z[1 - i].detach() if method.options.stop_gradient else z[1 - i]
        far = pushed(method.options.feature_transform, unit(method.predictor(z[i])), unit(target), progress)
        total = total - (far[0] * far[1]).sum(1).mean() / 2
    return total


def swav(method: Method, views: list[Tensor], batch: Batch, progress: Progress) -> Tensor:
    """Cross entropy of a view's code, a constant, with what another view pushed away from it predicts."""
    sizes = [torch.cat([v for v in views if v.shape[-1] == side]) for side in dict.fromkeys(v.shape[-1] for v in views)]
    z = unit(method.head(torch.cat([method.encoder(images) for images in sizes]))).chunk(len(views))
    codes = method._codes(z, progress)
    pairs = [(i, v) for i in (0, 1) for v in range(len(views)) if v != i]
    q, k = torch.cat([z[v] for _, v in pairs]), torch.cat([z[i].detach() for i, _ in pairs])
    far, _ = pushed(method.options.feature_transform, q, k, progress)
    logits = far @ F.normalize(method.prototypes.weight, dim=1).T / method.options.temperature
    return -(torch.cat([codes[i] for i, _ in pairs]) * logits.log_softmax(1)).sum(1).mean()
