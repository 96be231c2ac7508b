"""How many seeds a difference needs to be shown, claim by claim, and what a pair of seeds costs."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.durations import duration
from pipelines.report.claims import JudgedClaim, judged
from pipelines.report.comparison import comparisons
from pipelines.report.study import Results, results_of
from pipelines.spec.claims import PlannedClaim
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec
from pipelines.spec.plan import Plan
from pipelines.spec.resources import CORE_GFLOPS, work
from pipelines.statistics.power import detectable, seeds_needed

ASSUMED = (0.5, 1.0, 2.0)
"""Spreads of a paired difference, in points, that are shown where none has been measured yet."""


@dataclass(frozen=True)
class PairCost:
    """Of one more seed on both sides of a claim, on the machine that ran the first, or as estimated for one core."""

    seconds: float
    is_measured: bool


def planned_power(made: Plan, results: Path, difference: float) -> list[str]:
    """The same as ``power_lines``, of a study that is planned, from the records that there are."""
    known = results_of(made.dump(), results, f"the plan of {made.study.name}")
    return power_lines(known, judged(known, comparisons(known)), difference)


def power_lines(results: Results, found: Sequence[JudgedClaim], difference: float) -> list[str]:
    """For every claim on a protocol: the seeds that would show ``difference``, in points beyond its bound."""
    lines = []
    for each in found:
        if each.unit != "points":
            continue
        cost = cost_of_a_pair(results, each.claim)
        lines.append(f"{each.claim.text} ({each.place}; {_planned(each.planned)})")
        lines += [f"  {line}" for line in _spreads(each, difference, cost)]
    return lines or ["no claim of this study is about points of accuracy; state one under claims"]


def _spreads(each: JudgedClaim, difference: float, cost: PairCost) -> list[str]:
    sd = each.verdict.difference.estimate.sd if each.verdict else None
    if sd is not None and each.verdict:
        return [
            _line(
                round(sd, 9),
                f"measured over {each.verdict.difference.estimate.n} pairs",
                each.planned,
                difference,
                cost,
            )
        ]
    return [_line(sd, "assumed: nothing measured yet", each.planned, difference, cost) for sd in ASSUMED]


def _line(sd: float, whence: str, planned: int, difference: float, cost: PairCost) -> str:
    needed = seeds_needed(difference, sd)
    seen = detectable(planned, sd)
    text = f"spread {sd:.2g} points ({whence}): {difference:g} points "
    if needed is None:
        text += "are out of reach of a thousand seeds"
    else:
        kind = "" if cost.is_measured else ", by estimate on one core"
        text += f"need {needed} seeds, {duration(needed * cost.seconds)} of training and evaluation{kind}"
    if seen is None:
        return f"{text}; the planned seeds are too few for any verdict"
    return f"{text}; the planned seeds show {seen:.2g} points or more"


def cost_of_a_pair(results: Results, claim: PlannedClaim) -> PairCost:
    """Pretraining and evaluation of one seed of every run on both sides: the median of those done, else an estimate."""
    sides = (claim.first, claim.first_over, claim.second, claim.second_over)
    labels = dict.fromkeys(label for side in sides if side for label in side.labels)
    costs = [_cost(results, label) for label in labels]
    return PairCost(sum(cost.seconds for cost in costs), all(cost.is_measured for cost in costs))


def _cost(results: Results, label: str) -> PairCost:
    trained = [job for job in results.of(PretrainSpec) if job.label == label]
    measured = [job for job in results.of(EvaluateSpec) if job.label == label]
    if not trained:  # a floor
        return PairCost(0.0, True)
    seconds = [job.record.seconds for job in trained if job.record]
    if not seconds:
        foreseen = [work(job.spec, results.counted.get(job.dataset)) / CORE_GFLOPS for job in trained]
        return PairCost(statistics.median(foreseen), False)
    evaluated = sum(job.record.seconds for job in measured if job.record) / len(seconds)
    return PairCost(statistics.median(seconds) + evaluated, True)


def _planned(seeds: int) -> str:
    return "1 seed is planned" if seeds == 1 else f"{seeds} seeds are planned"
