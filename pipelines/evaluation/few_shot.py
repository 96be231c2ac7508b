"""Few-shot classification on frozen features: k labelled images a class.

Without ``ways``: all classes of the data set, k images a class drawn from train outside the held-out slice, several draws,
tested on all of test (CLIP's protocol, Radford et al. 2021, arXiv:2103.00020, section 3.1.5 and appendix A.3). The k images
of a draw are among its 2k, so that shots are compared on paired draws. The classifier is L2-regularised logistic regression
(scikit-learn's L-BFGS, at most 1000 iterations), its strength the one that is best on the held-out slice, on average over
the draws of that k. Differs from the paper: rows are shifted and scaled to mean squared length 1 first, and the strengths
are a plain grid.

With ``ways``: episodes of N classes drawn from test, k images a class to learn from and ``queries`` others to name (Vinyals
et al. 2016, arXiv:1606.04080). The usual benchmark keeps whole classes for it; here pretraining saw the classes' images,
though no label (supervised training did). Class means are compared as SimpleShot does (Wang et al. 2019, arXiv:1911.04623):
features less the mean of train, at unit length, nearest class mean.
"""

import math
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.errors import InputError
from pipelines.evaluation.features import Features
from pipelines.evaluation.linear import Scaling
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation import FewShot


def measure(options: FewShot, features: Features, generator: torch.Generator) -> Measured:
    """For every k of ``shots``: K_shot, its mean top-1 on test over draws or episodes, K_shot_sd over them (n - 1).

    Beside them: with ``ways`` K_shot_ci95, half the width of the mean's 95 % interval; with logistic regression over all
    classes the chosen K_shot_strength, and K_shot on the held-out slice, what it was chosen by. Test rows are named once,
    and so predicted, with one draw of one k. InputError where images are too few.
    """
    if options.ways is not None:
        return _episodes(options, options.ways, features, generator)
    return _draws(options, features, generator)


def _draws(options: FewShot, features: Features, generator: torch.Generator) -> Measured:
    fit, most, f = features.fit, max(options.shots), features
    supports = [_support(f.train_label, fit, f.num_classes, most, generator) for _ in range(options.num_draws)]
    test: dict[str, float] = {}
    holdout: dict[str, float] = {}
    chosen: dict[str, float | str] = {}
    for k in options.shots:
        drawn = [rows[:, :k].flatten() for rows in supports]
        strength = None
        if options.use_logistic:
            strength, held = _chosen_strength(options, f, drawn)
            chosen[f"{k}_shot_strength"] = strength
            holdout |= {} if held is None else {f"{k}_shot": held}
        named = [_named(f, rows, f.test, strength) for rows in drawn]
        tops = [_share(each == f.test_label) for each in named]
        test |= {f"{k}_shot": _mean(tops)} | _spread(f"{k}_shot_sd", tops)
    once = len(options.shots) == options.num_draws == 1
    return Measured(test=test, holdout=holdout, chosen=chosen, predicted=named[0] if once else None)


def _support(label: Tensor, rows: Tensor, num_classes: int, k: int, generator: torch.Generator) -> Tensor:
    """(C, k) positions: k of ``rows`` for every class that occurs among them, drawn without replacement."""
    order = rows[torch.randperm(len(rows), generator=generator, device=generator.device).to(rows.device)]
    found = []
    for number in range(num_classes):
        own = order[label[order] == number]
        if 0 < len(own) < k:
            raise InputError(
                f"evaluation.few_shot.shots: {k} images a class asked for, but class {number} has {len(own)} here; "
                "lower shots, or the data set's holdout"
            )
        if len(own):
            found.append(own[:k])
    return torch.stack(found)


def _chosen_strength(options: FewShot, features: Features, drawn: list[Tensor]) -> tuple[float, float | None]:
    """The strength of highest mean top-1 on the held-out slice over the draws (the first of equals), and that top-1."""
    strengths, held = options.all_strengths, features.holdout
    if len(strengths) == 1:
        return strengths[0], None
    if not len(held):
        raise InputError(
            f"evaluation.few_shot: {len(strengths)} strengths, but nothing is held out to choose on; set the data set's "
            "holdout above 0, give one strength or take classifier: centroid"
        )
    rows, label = features.train[held], features.train_label[held]
    means = [_mean([_share(_named(features, each, rows, one) == label) for each in drawn]) for one in strengths]
    best = max(range(len(strengths)), key=lambda i: means[i])
    return strengths[best], means[best]


def _named(features: Features, support: Tensor, query: Tensor, strength: float | None) -> Tensor:
    """(M,) int64: classes of query (M, F), learnt from the rows of train at ``support``; strength None: nearest class mean."""
    rows, known = features.train[support], features.train_label[support]
    return logistic(rows, known, query, strength) if strength is not None else _by_means(features, rows, known, query)


def _by_means(features: Features, rows: Tensor, known: Tensor, query: Tensor) -> Tensor:
    middle = features.train[features.fit].mean(0)
    unit, asked = F.normalize(rows - middle, dim=1), F.normalize(query - middle, dim=1)
    classes = known.unique()
    return classes[nearest_mean(torch.stack([unit[known == number].mean(0) for number in classes]), asked)]


def nearest_mean(means: Tensor, query: Tensor) -> Tensor:
    """(..., M) int64: which of means (..., C, F) is nearest, by Euclidean distance, to each of query (..., M, F)."""
    return torch.cdist(query, means).argmin(-1)


def logistic(rows: Tensor, label: Tensor, query: Tensor, strength: float) -> Tensor:
    """(M,) int64: classes of query (M, F) by regression on rows (n, F) with label (n,), at least two classes.

    Minimises the summed cross entropy + strength / 2 x the squared weights (not the biases), of rows shifted to mean 0 and
    scaled by one number to mean squared length 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scaling = Scaling.of(rows, standardise=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1000 iterations are the protocol's limit
        model = LogisticRegression(C=1 / strength, max_iter=1000)
        model.fit(scaling(rows).double().cpu().numpy(), label.cpu().numpy())
    return torch.as_tensor(model.predict(scaling(query).double().cpu().numpy()), device=query.device)


def _episodes(options: FewShot, ways: int, features: Features, generator: torch.Generator) -> Measured:
    most = max(options.shots) + options.queries
    places = _by_class(features.test_label, features.num_classes, most)
    if len(places) < ways:
        raise InputError(
            f"evaluation.few_shot.ways: {ways} classes asked for, but only {len(places)} of {features.num_classes} have "
            f"the {most} test images that shots and queries need; lower ways, shots or queries"
        )
    rows = F.normalize(features.test - features.train[features.fit].mean(0), dim=1)
    tops: dict[int, list[float]] = {k: [] for k in options.shots}
    for _ in range(options.num_draws):
        drawn = _draw(places, ways, most, generator).to(rows.device)
        query = rows[drawn[:, : options.queries]].flatten(0, 1)
        truth = torch.arange(ways, device=rows.device).repeat_interleave(options.queries)
        for k in options.shots:
            support = rows[drawn[:, options.queries :][:, :k]]  # (ways, k, F)
            if options.use_logistic:
                known = torch.arange(ways, device=rows.device).repeat_interleave(k)
                named = logistic(support.flatten(0, 1), known, query, options.all_strengths[0])
            else:
                named = nearest_mean(support.mean(1), query)
            tops[k].append(_share(named == truth))
    test: dict[str, float] = {}
    for k, values in tops.items():
        spread = _spread(f"{k}_shot_sd", values)
        wide = {f"{k}_shot_ci95": 1.96 * sd / math.sqrt(len(values)) for sd in spread.values()}
        test |= {f"{k}_shot": _mean(values), **spread, **wide}
    return Measured(test=test)


def _by_class(label: Tensor, num_classes: int, least: int) -> list[Tensor]:
    """The positions of every class that has at least ``least`` of them, on the CPU."""
    label = label.cpu()
    places = [(label == number).nonzero().squeeze(1) for number in range(num_classes)]
    return [place for place in places if len(place) >= least]


def _draw(places: list[Tensor], ways: int, each: int, generator: torch.Generator) -> Tensor:
    """(ways, each) positions: different classes, different images of each."""

    def some(length: int, count: int) -> Tensor:
        return torch.randperm(length, generator=generator, device=generator.device)[:count].cpu()

    return torch.stack([places[number][some(len(places[number]), each)] for number in some(len(places), ways).tolist()])


def _share(right: Tensor) -> float:
    """The share of (M,) bool that is true."""
    return right.double().mean().item()


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _spread(name: str, values: list[float]) -> dict[str, float]:
    """The standard deviation (n - 1) under ``name``; nothing for one value."""
    if len(values) < 2:
        return {}
    mean = _mean(values)
    return {name: math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))}
