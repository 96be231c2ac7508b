"""Few-shot episodes on frozen features: N classes of test, k images a class to learn from, others to name.

Vinyals et al. 2016, arXiv:1606.04080. The usual benchmark keeps whole classes for it, as a part of a data set can
(``spec.part``); otherwise pretraining saw the classes' images, though no label (supervised training did). Class means are
compared as SimpleShot does (Wang et al. 2019, arXiv:1911.04623): features less the mean of train, at unit length, nearest
class mean.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.evaluation.accuracy import over_draws, share
from pipelines.evaluation.classifiers import logistic, nearest_mean
from pipelines.evaluation.features import Features
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.few_shot import Options as FewShot


def measure_episodes(options: FewShot, ways: int, features: Features, generator: torch.Generator) -> Measured:
    """For every k of ``shots``: K_shot, K_shot_sd over episodes, and K_shot_ci95, half the width of the 95 % interval.

    answers: K_shot (m,), how often each test row was named rightly, and asked (m,), how often it was a query. K_shot is the
    sum of the first over the sum of the second, as every episode asks for equally many rows.
    """
    most = max(options.shots) + options.queries
    places = by_class(features.test_label, features.num_classes, most)
    rows = F.normalize(features.test - features.train[features.fit].mean(0), dim=1)
    tops: dict[int, list[float]] = {k: [] for k in options.shots}
    right = {k: rows.new_zeros(len(rows), dtype=torch.int64) for k in options.shots}
    asked = rows.new_zeros(len(rows), dtype=torch.int64)
    for _ in range(options.num_draws):
        drawn = draw(places, ways, most, generator).to(rows.device)
        places_asked = drawn[:, : options.queries].flatten()
        query = rows[places_asked]
        asked[places_asked] += 1
        truth = torch.arange(ways, device=rows.device).repeat_interleave(options.queries)
        for k in options.shots:
            support = rows[drawn[:, options.queries :][:, :k]]  # (ways, k, F)
            if options.use_logistic:
                known = torch.arange(ways, device=rows.device).repeat_interleave(k)
                named = logistic(support.flatten(0, 1), known, query, options.all_strengths[0])
            else:
                named = nearest_mean(support.mean(1), query)
            tops[k].append(share(named == truth))
            right[k][places_asked] += named == truth
    test: dict[str, float] = {}
    for k, values in tops.items():
        found = over_draws(f"{k}_shot", values)
        wide = {f"{k}_shot_ci95": 1.96 * found[f"{k}_shot_sd"] / math.sqrt(len(values))} if len(values) > 1 else {}
        test |= found | wide
    answers = {"asked": asked, **{f"{k}_shot": each for k, each in right.items()}}
    return Measured(test, answers={name: each.cpu().numpy().astype(np.uint32) for name, each in answers.items()})


def by_class(label: Tensor, num_classes: int, least: int) -> list[Tensor]:
    """The positions of every class that has at least ``least`` of them, on the CPU."""
    label = label.cpu()
    places = [(label == number).nonzero().squeeze(1) for number in range(num_classes)]
    return [place for place in places if len(place) >= least]


def draw(places: list[Tensor], ways: int, each: int, generator: torch.Generator) -> Tensor:
    """(ways, each) positions: different classes, different images of each."""

    def some(length: int, count: int) -> Tensor:
        return torch.randperm(length, generator=generator, device=generator.device)[:count].cpu()

    return torch.stack([places[number][some(len(places[number]), each)] for number in some(len(places), ways).tolist()])
