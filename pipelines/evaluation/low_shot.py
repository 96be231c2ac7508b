"""Low-shot classification on frozen features: a linear probe that learns from 1 % or 10 % of the labels, or from a few.

The semi-supervised benchmark (SimCLR, Chen et al. 2020, arXiv:2002.05709, section 5; MSN, arXiv:2204.07141, for a few images
a class) with the encoder frozen; ``finetune`` with the same share trains the encoder too, on the same list of images.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.evaluation.accuracy import accuracies, certainty, hits, predicted
from pipelines.evaluation.checks import check_features
from pipelines.evaluation.choosing import draws_judged_by, judges_of_draw
from pipelines.evaluation.features import Features
from pipelines.evaluation.labelled import few_labels
from pipelines.evaluation.linear import Candidate, best, judged, train
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.low_shot import Options as LowShot
from pipelines.spec.evaluation.low_shot import amount_name


def check(options: LowShot, features: Features) -> None:
    """InputError unless every class has as many images as asked for, and rows are left to choose on."""
    check_features(options, features)


def measure(options: LowShot, features: Features, generator: torch.Generator) -> Measured:
    """For every amount of labels: top1 on test by its name (1_percent), on the rows that judged, and the chosen rate.

    With one amount test rows are named once, and so predicted. answers: by the name of each amount (m,), 1 for every test row
    that was named rightly. InputError: see ``check``.
    """
    check(options, features)
    test: dict[str, float] = {}
    holdout: dict[str, float] = {}
    chosen: dict[str, float | str] = {}
    answers: dict[str, NDArray[Any]] = {}
    for amount in options.labels:
        name = amount_name(amount)
        listed = few_labels(features.train_label.cpu().numpy(), features.num_classes, amount, generator.initial_seed())
        scores, one = _scores(options, features, torch.from_numpy(listed).to(features.train.device), generator)
        test[name] = accuracies(scores, features.test_label)["top1"]
        answers[name] = hits(scores, features.test_label)
        chosen |= {f"{name}_labels": len(listed), f"{name}_lr": one.lr, f"{name}_weight_decay": one.weight_decay}
        if one.top1 is not None:
            holdout[name], chosen["by"] = one.top1, draws_judged_by(features)
    once = len(options.labels) == 1
    named, sure = (predicted(scores), certainty(scores)) if once else (None, None)
    return Measured(test, holdout, chosen=chosen, predicted=named, score=sure, answers=answers)


def _scores(options: LowShot, f: Features, listed: Tensor, generator: torch.Generator) -> tuple[Tensor, Candidate]:
    """Scores (m, C) of test by the candidate that is best on rows outside the list, and that candidate."""
    probe = options.probe
    candidates = [Candidate(lr, decay) for lr in probe.lrs for decay in probe.weight_decays]
    probes = train(probe, f.train, f.train_label, f.num_classes, candidates, generator, listed)
    if len(candidates) == 1:
        return probes.scores(f.test)[0], candidates[0]
    judges = judges_of_draw(f, listed)
    top1, loss = (found.tolist() for found in judged(probes, f.train, f.train_label, judges))
    number = best(top1, np.nan_to_num(loss, nan=np.inf).tolist(), len(judges))
    return probes.scores(f.test)[number], replace(candidates[number], top1=top1[number], loss=loss[number])
