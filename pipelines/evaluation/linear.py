"""Linear probe: softmax regression on frozen features, its settings chosen on held-out rows of train.

All candidate learning rates and weight decays are trained at once, as so many columns of one weight matrix (DINOv2's
protocol, Oquab et al. 2023, arXiv:2304.07193, section 7.1). The candidate that is best on the held-out slice, or in
cross-validation where the slice is small (see ``choosing``), is trained again on all of train and meets test once.

With several ``features`` each is tried with every candidate, and all of them are trained in the same pass over the rows; the
feature is chosen like the rate.

Differs from the usual probe: features are computed once (no augmentation), and scaled so that the mean squared length of
a row is 1, which makes one grid of learning rates fit encoders of any width and scale. Weights start at zero and the
problem is convex, so that only the order of the rows is random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.evaluation.accuracy import accuracies, certainty, predicted
from pipelines.evaluation.checks import check_features
from pipelines.evaluation.choosing import judging
from pipelines.evaluation.features import Features
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.scaling import Scaling
from pipelines.spec.evaluation.linear import Options as Linear

CHUNK = 8192
"""Rows scored at once."""
ELEMENTS = 2**24
"""Scores of all classifiers held at once where they are only counted: 64 MiB in float32."""


@dataclass(frozen=True)
class Candidate:
    """A learning rate, a weight decay and the feature it reads; top1 and loss (nats) on held-out rows, where there are any."""

    lr: float
    weight_decay: float
    top1: float | None = None
    loss: float | None = None
    feature: str = "pooled"

    @property
    def name(self) -> str:
        """``lr_0.3_wd_0``, behind the feature where that is another than the pooled one."""
        own = f"lr_{self.lr:g}_wd_{self.weight_decay:g}"
        return own if self.feature == "pooled" else f"{self.feature}_{own}"


@dataclass(frozen=True)
class Probes:
    """R linear classifiers side by side: weight (C, R, F), bias (C, R, 1), on rows scaled by ``scaling``."""

    scaling: Scaling
    weight: Tensor
    bias: Tensor

    def scores(self, rows: Tensor) -> Tensor:
        """(N, F) -> (R, N, C) logits."""
        parts = [self._logits(self.scaling(part)) for part in rows.split(CHUNK)]
        return torch.cat(parts, dim=2).permute(1, 2, 0)

    def _logits(self, scaled: Tensor) -> Tensor:
        """(N, F) -> (C, R, N). Classes come first because softmax over them is then several times faster on CPUs."""
        return (self.weight.flatten(0, 1) @ scaled.T).view(*self.weight.shape[:2], -1) + self.bias

    def gradients(self, scaled: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Of each classifier's mean cross-entropy, with regard to weight and bias. targets: (C, 1, N) one-hot."""
        error = self._logits(scaled).softmax(0).sub_(targets).div_(len(scaled))  # (C, R, N)
        return (error.flatten(0, 1) @ scaled).view_as(self.weight), error.sum(2, keepdim=True)


class FeatureGroup(NamedTuple):
    """The candidates of one feature, and the columns where it stands."""

    columns: slice
    candidates: list[Candidate]


class Descent:
    """SGD with momentum of the classifiers of one group, decay on the weights alone."""

    def __init__(self, options: Linear, group: FeatureGroup, rows: Tensor, num_classes: int, which: Tensor) -> None:
        own, R = rows[:, group.columns], len(group.candidates)
        scaling = Scaling.of(own, options.standardise, which)
        self.columns, self.momentum = group.columns, options.momentum
        self.probes = Probes(scaling, rows.new_zeros(num_classes, R, own.shape[1]), rows.new_zeros(num_classes, R, 1))
        self.weight_step, self.bias_step = torch.zeros_like(self.probes.weight), torch.zeros_like(self.probes.bias)
        self.rate = rows.new_tensor([each.lr for each in group.candidates]).view(1, R, 1)
        self.decay = rows.new_tensor([each.weight_decay for each in group.candidates]).view(1, R, 1)

    def step(self, batch: Tensor, targets: Tensor, share: float) -> None:
        """On rows (N, F) of all features with targets (C, 1, N), at this share of the rates."""
        probes, now = self.probes, self.rate * share
        weight, bias = probes.gradients(probes.scaling(batch[:, self.columns]), targets)
        self.weight_step.mul_(self.momentum).add_(weight.addcmul_(probes.weight, self.decay))
        self.bias_step.mul_(self.momentum).add_(bias)
        probes.weight.sub_(self.weight_step * now)
        probes.bias.sub_(self.bias_step * now)


def train(
    options: Linear,
    rows: Tensor,
    label: Tensor,
    num_classes: int,
    candidates: Sequence[Candidate],
    generator: torch.Generator,
    which: Tensor | None = None,
) -> Probes:
    """R classifiers on rows (n, F), one for each of R candidates: ``train_groups`` of one feature."""
    group = FeatureGroup(slice(None), list(candidates))
    return train_groups(options, rows, label, num_classes, [group], generator, which)[0]


def train_groups(
    options: Linear,
    rows: Tensor,
    label: Tensor,
    num_classes: int,
    groups: Sequence[FeatureGroup],
    generator: torch.Generator,
    which: Tensor | None = None,
) -> list[Probes]:
    """The classifiers of all groups on rows (n, F) with label (n,), or those at the positions ``which``, in one pass.

    SGD with momentum on the mean cross-entropy, cosine schedule to 0, decay on the weights alone; every epoch passes over
    the rows in a new order (the last n mod batch_size of it are left out). Nothing is held of the rows but a batch.
    """
    which = torch.arange(len(rows), device=rows.device) if which is None else which
    size, total = min(options.batch_size, len(which)), num_steps(options, len(which))
    descents = [Descent(options, group, rows, num_classes, which) for group in groups]
    order = label.new_empty(0)
    for step in range(total):
        if len(order) < size:
            order = which[torch.randperm(len(which), generator=generator, device=generator.device).to(rows.device)]
        chosen, order = order[:size], order[size:]
        batch = rows.index_select(0, chosen)
        targets = F.one_hot(label[chosen], num_classes).to(rows.dtype).T.unsqueeze(1)  # (C, 1, size)
        for descent in descents:
            descent.step(batch, targets, 0.5 * (1 + math.cos(math.pi * step / total)))
    return [descent.probes for descent in descents]


def groups_of(options: Linear, features: Features) -> list[FeatureGroup]:
    """Every learning rate with every weight decay for each feature that there is."""
    columns = {name: slice(*ends) for name, ends in features.columns.items()} or {"pooled": slice(None)}
    pairs = [(lr, decay) for lr in options.lrs for decay in options.weight_decays]
    return [FeatureGroup(where, [Candidate(*pair, feature=name) for pair in pairs]) for name, where in columns.items()]


def num_steps(options: Linear, num_rows: int) -> int:
    """Optimizer steps on so many rows: those of the epochs, at least ``least_steps``."""
    return max(options.least_steps, options.epochs * (num_rows // min(options.batch_size, num_rows)))


def check(options: Linear, features: Features) -> None:
    """InputError unless there is something to learn, and rows to choose on where there is something to choose."""
    check_features(options, features)


class ProbeChoice(NamedTuple):
    """The chosen candidate, all candidates, and the rows that judged them: holdout or cv5."""

    chosen: Candidate
    candidates: list[Candidate]
    by: str


def choose(options: Linear, features: Features, generator: torch.Generator) -> ProbeChoice:
    """Every candidate trained on some rows of train and judged on others, as ``judging`` says.

    By the held-out slice ``best`` chooses; by folds, which have all rows of train to count on, the highest top1, of equals
    the lowest loss. Without a slice there is one candidate, and nothing to choose.
    """
    groups = groups_of(options, features)
    candidates = [each for group in groups for each in group.candidates]
    by, parts = judging(features, len(candidates))
    if not parts:
        assert len(candidates) == 1, "check refuses more"
        return ProbeChoice(candidates[0], candidates, by)
    rows, label, C = features.train, features.train_label, features.num_classes
    top1, loss = torch.zeros(2, len(candidates), dtype=torch.float64)
    for learn, judge in parts:
        trained = train_groups(options, rows, label, C, groups, generator, learn)
        share = len(judge) / sum(len(part) for _, part in parts)
        each = [judged(probes, rows[:, group.columns], label, judge) for probes, group in zip(trained, groups)]
        top1 += share * torch.cat([found for found, _ in each])
        loss += share * torch.cat([found for _, found in each])
    tried = [replace(one, top1=a, loss=b) for one, a, b in zip(candidates, top1.tolist(), loss.tolist())]
    number = best(top1.tolist(), loss.tolist(), len(parts[0][1]) if by == "holdout" else None)
    return ProbeChoice(tried[number], tried, by)


def judged(probes: Probes, rows: Tensor, label: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Each classifier's top1 (R,) and mean loss (R,), nats, on the rows at some positions; float64 on the CPU."""
    C, R, _ = probes.weight.shape
    top1, loss = torch.zeros(2, R, dtype=torch.float64)
    for part in which.split(max(1, min(CHUNK, ELEMENTS // (C * R)))):
        scores, truth = probes.scores(rows.index_select(0, part)), label[part]  # (R, n, C)
        hits = predicted(scores.flatten(0, 1)).view(R, -1) == truth
        each = F.cross_entropy(scores.flatten(0, 1), truth.repeat(R), reduction="none").view(R, -1)
        top1 += hits.sum(1).cpu()
        loss += each.double().sum(1).cpu()
    return top1 / len(which), loss / len(which)


def best(top1: list[float], loss: list[float], num_rows: int | None) -> int:
    """The candidate of lowest loss among those within one standard error of the highest top1 on num_rows rows.

    None: among those of the highest top1 alone.

    The highest top1 alone is decided by a row or two on small slices. Measured on random features of digits and
    Fashion-MNIST (1,000 to 10,000 rows), this rule gives 0.0 to 0.4 points more on test, with half the spread.
    """
    highest = max(top1)
    error = math.sqrt(highest * (1 - highest) / num_rows) if num_rows else 0.0
    near = [r for r, value in enumerate(top1) if value >= highest - error]
    return min(near, key=lambda r: loss[r])


def measure(options: Linear, features: Features, generator: torch.Generator) -> Measured:
    """top1, top5 and mean_per_class on test of the chosen candidate retrained on all of train, and its top1 on train.

    Where there is a held-out slice, its and every candidate's accuracy on the rows that judged it (top1, and
    top1/lr_0.3_wd_0 and so on), and by which those were chosen: holdout or cv5.
    InputError: see ``check``.
    """
    check(options, features)
    f = features
    chosen, candidates, by = choose(options, f, generator)
    own = slice(*f.columns.get(chosen.feature, (0, None)))
    probes = train(options, f.train[:, own], f.train_label, f.num_classes, [chosen], generator)
    every = torch.arange(len(f.train), device=f.train.device)
    scores, holdout = probes.scores(f.test[:, own])[0], {"top1": chosen.top1, "loss": chosen.loss}
    holdout |= {f"top1/{each.name}": each.top1 for each in candidates}
    return Measured(
        test=accuracies(scores, f.test_label),
        train={"top1": judged(probes, f.train[:, own], f.train_label, every)[0].item()},
        holdout={name: value for name, value in holdout.items() if value is not None},
        chosen={"lr": chosen.lr, "weight_decay": chosen.weight_decay}
        | ({"by": by} if len(candidates) > 1 else {})
        | ({"feature": chosen.feature} if f.columns else {}),
        predicted=predicted(scores),
        score=certainty(scores),
    )
