"""Few-shot classification on frozen features: k labelled images a class.

All classes of the data set, k images a class drawn from train outside the held-out slice, several draws, tested on all of
test (CLIP's protocol, Radford et al. 2021, arXiv:2103.00020, section 3.1.5 and appendix A.3). The k images of a draw are
among its 2k, so that shots are compared on paired draws. The classifier is L2-regularised logistic regression, its strength
the one that is best on the held-out slice, on average over the draws of that k; where the slice is small (see ``choosing``),
on all rows of train that the draw does not use. Differs from the paper: rows are shifted and scaled to mean squared length
1 first, and the strengths are a plain grid.

With ``ways`` the images are drawn from test, in episodes of few classes: see ``episodes``.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.evaluation import episodes
from pipelines.evaluation.accuracy import over_draws, share
from pipelines.evaluation.checks import check_features
from pipelines.evaluation.choosing import draws_judged_by, judges_of_draw
from pipelines.evaluation.classifiers import logistic, nearest_mean
from pipelines.evaluation.features import Features
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.few_shot import Options as FewShot


def check(options: FewShot, features: Features) -> None:
    """InputError unless there are enough images of every class, and rows to choose a strength on."""
    check_features(options, features)


def measure(options: FewShot, features: Features, generator: torch.Generator) -> Measured:
    """For every k of ``shots``: K_shot, its mean top-1 on test over draws or episodes, K_shot_sd over them (n - 1).

    Beside them: with ``ways`` K_shot_ci95, half the width of the mean's 95 % interval; with logistic regression over all
    classes the chosen K_shot_strength, K_shot on the rows it was chosen by, and which those were: holdout, or rest_of_train.
    Test rows are named once, and so predicted, with one draw of one k.

    answers: K_shot (m,), how often each test row was named rightly, and asked (m,), how often it was asked about: by every
    draw, or by the episodes that drew it as a query. InputError where images are too few.
    """
    check(options, features)
    if options.ways is not None:
        return episodes.measure_episodes(options, options.ways, features, generator)
    return _draws(options, features, generator)


def _draws(options: FewShot, features: Features, generator: torch.Generator) -> Measured:
    fit, most, f = features.fit, max(options.shots), features
    supports = [support(f.train_label, fit, f.num_classes, most, generator) for _ in range(options.num_draws)]
    test: dict[str, float] = {}
    holdout: dict[str, float] = {}
    chosen: dict[str, float | str] = {}
    answers = {"asked": np.full(len(f.test), options.num_draws, np.uint32)}
    for k in options.shots:
        drawn = [rows[:, :k].flatten() for rows in supports]
        strength = None
        if options.use_logistic:
            strength, held = _chosen_strength(options, f, drawn)
            chosen[f"{k}_shot_strength"] = strength
            if held is not None:
                holdout[f"{k}_shot"] = held
                chosen["by"] = draws_judged_by(features)
        named = [_named(f, rows, f.test, strength) for rows in drawn]
        right = [each == f.test_label for each in named]
        test |= over_draws(f"{k}_shot", [share(each) for each in right])
        answers[f"{k}_shot"] = torch.stack(right).sum(0).cpu().numpy().astype(np.uint32)
    once = len(options.shots) == options.num_draws == 1
    return Measured(test, holdout, chosen=chosen, predicted=named[0] if once else None, answers=answers)


def support(label: Tensor, rows: Tensor, num_classes: int, k: int, generator: torch.Generator) -> Tensor:
    """(C, k) positions: k of ``rows`` for every class, drawn without replacement; each class has so many among them."""
    order = rows[torch.randperm(len(rows), generator=generator, device=generator.device).to(rows.device)]
    return torch.stack([order[label[order] == number][:k] for number in range(num_classes)])


def _chosen_strength(options: FewShot, features: Features, drawn: list[Tensor]) -> tuple[float, float | None]:
    """The strength of highest mean top-1 over the draws (the first of equals) on the rows that judge, and that top-1."""
    strengths = options.all_strengths
    if len(strengths) == 1:
        return strengths[0], None
    judges = [judges_of_draw(features, each) for each in drawn]
    tops = [[_top1_on(features, each, on, one) for each, on in zip(drawn, judges)] for one in strengths]
    means = [over_draws("mean", values)["mean"] for values in tops]
    best = max(range(len(strengths)), key=lambda i: means[i])
    return strengths[best], means[best]


def _top1_on(features: Features, drawn: Tensor, judge: Tensor, strength: float) -> float:
    return share(_named(features, drawn, features.train[judge], strength) == features.train_label[judge])


def _named(features: Features, rows: Tensor, query: Tensor, strength: float | None) -> Tensor:
    """(M,) int64: classes of query (M, F), learnt from train at ``rows`` (positions); strength None: nearest class mean."""
    known, label = features.train[rows], features.train_label[rows]
    return logistic(known, label, query, strength) if strength is not None else _by_means(features, known, label, query)


def _by_means(features: Features, rows: Tensor, label: Tensor, query: Tensor) -> Tensor:
    middle = features.train[features.fit].mean(0)
    unit, asked = F.normalize(rows - middle, dim=1), F.normalize(query - middle, dim=1)
    return nearest_mean(torch.stack([unit[label == number].mean(0) for number in range(features.num_classes)]), asked)
