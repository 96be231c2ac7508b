"""Linear probe on augmented images: classifiers on a frozen encoder, as MoCo, SimCLR, SwAV and MAE report it.

All candidates, features times learning rates, are trained in one pass over the images (DINOv2, arXiv:2304.07193). They are
judged on the held-out slice, or in folds where it is small (see ``choosing``), by twins that did not learn from it; the one
that is chosen has learnt from all of train in the same pass, and alone meets test. Differs from the papers: they chose on
the split they report. SimCLR's Nesterov momentum is plain momentum here.

Not the probe ``linear``, whose features are computed once.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.errors import BadResult
from pipelines.evaluation.choosing import Judging, judging_rows
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.linear import best
from pipelines.evaluation.side_by_side import ProbeCandidate, SideBySide
from pipelines.evaluation.workbench import Outcome, Rows, Workbench
from pipelines.spec.evaluation.linear_augmented import Options


def measure(options: Options, bench: Workbench) -> Outcome:
    """top1, top5 and mean_per_class on test of the chosen candidate, and top1 of all on the rows that judged them.

    InputError where images are too few.
    """
    options.check_counts(bench.counts)
    rows = np.flatnonzero(bench.train_label >= 0)
    label = torch.from_numpy(bench.train_label[rows])
    candidates = [ProbeCandidate(feature, lr) for feature in options.features for lr in options.lrs]
    judges = _judging(bench, rows, label, len(candidates))
    learns = torch.zeros(len(judges.parts), len(rows), dtype=torch.bool)
    for mask, (learn, _) in zip(learns, judges.parts):
        mask[learn] = True
    method = SideBySide(bench.base(0).encoder, candidates, learns, bench.num_classes, options.batch_norm)
    derived = bench.fit(method, options, rows)
    top1, loss = judged(method, bench, rows, label, judges)
    number = _best(top1, loss, judges)
    chosen, classifier = candidates[number], method.chosen(number)
    if not all(parameter.isfinite().all() for parameter in classifier.linear.parameters()):
        raise BadResult(f"evaluation.linear_augmented: the classifier with lr {chosen.lr:g} diverged; lower lrs")
    derived |= {"chosen/lr": chosen.lr, "chosen/feature": chosen.feature, "images": len(rows), "labels": len(rows)}
    derived |= {"chosen/by": judges.by} if len(candidates) > 1 else {}
    held = {"top1": top1[number]} if judges.parts else {}
    held |= {f"top1/{each.feature}_lr_{each.lr:g}": value for each, value in zip(candidates, top1)}
    return Outcome.on_test(bench, classifier, derived, held)


def _judging(bench: Workbench, rows: Rows, label: Tensor, choices: int) -> Judging:
    """What judges the labelled rows' candidates."""
    held = torch.from_numpy(np.isin(rows, bench.holdout))
    return judging_rows(label, (~held).nonzero().squeeze(1), held.nonzero().squeeze(1), choices)


@torch.no_grad()
def judged(
    method: SideBySide, bench: Workbench, rows: Rows, label: Tensor, judges: Judging
) -> tuple[list[float], list[float]]:
    """Every candidate's top1 and mean loss over the rows that judge, by the twins that did not learn from them.

    A loss that is no number is infinite, and the candidate's top1 is 0. Nothing to judge on: two empty lists.
    """
    if not judges.parts:
        return [], []
    part = torch.full((len(rows),), -1)
    for number, (_, judge) in enumerate(judges.parts):
        part[judge] = number
    asked = (part >= 0).nonzero().squeeze(1)
    hits, loss = torch.zeros(2, len(method.candidates), dtype=torch.float64)
    done = 0
    with evaluating(method):
        for images in bench.whole(rows[asked.numpy()]):
            here, features = asked[done : done + len(images)], method.features(images)
            for number, twins in enumerate(method.twins):
                mine = (part[here] == number).nonzero().squeeze(1)
                if len(mine):
                    scores = twins({name: each[mine.to(each.device)] for name, each in features.items()}).double().cpu()
                    truth = label[here[mine]]
                    hits += (scores.argmax(2) == truth).sum(1)
                    loss += torch.stack([F.cross_entropy(each, truth, reduction="sum") for each in scores])
            done += len(images)
    wrong = ~loss.isfinite()
    hits[wrong], loss[wrong] = 0, torch.inf
    return (hits / len(asked)).tolist(), (loss / len(asked)).tolist()


def _best(top1: list[float], loss: list[float], judges: Judging) -> int:
    if not top1:
        return 0
    if not any(np.isfinite(loss)):
        raise BadResult("evaluation.linear_augmented: every candidate diverged; lower lrs")
    return best(top1, loss, len(judges.parts[0][1]) if judges.by == "holdout" else None)
