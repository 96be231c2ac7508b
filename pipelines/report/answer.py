"""What a page answers before everything else: the verdicts on its claims, the best row, and folded more about both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.report.best_row import best_row, judged
from pipelines.report.claims import JudgedClaim
from pipelines.report.comparison import Comparison
from pipelines.report.more_numbers import more_numbers
from pipelines.report.short_answer import short_answer
from pipelines.report.study import Results
from pipelines.report.verdicts import ClaimsTold, groups, summary
from pipelines.spec.jobs import EvaluateSpec, ShardsSpec
from pipelines.spec.seen_before import PRETRAINED_ON


@dataclass(frozen=True)
class Answer:
    """In the order in which a page has it; every sentence is made from records.

    leaks   images of test that were trained on: they make every number too high
    counted how many claims have which verdict; empty without claims
    claims  what was claimed, by verdict
    best    at most three sentences on the best row
    more    a paragraph a data set, to be unfolded
    short   at most three lines, for a terminal and the index
    """

    leaks: tuple[str, ...]
    counted: str
    claims: tuple[ClaimsTold, ...]
    best: tuple[str, ...]
    more: tuple[str, ...]
    short: tuple[str, ...]


def answer(results: Results, found: Sequence[Comparison], verdicts: Sequence[JudgedClaim] = ()) -> Answer:
    """The answer of a study, over all data sets that it is measured on."""
    counted = summary(verdicts)
    return Answer(
        leaks=tuple(each for comparison in found for each in _leaks(results, comparison)),
        counted=counted,
        claims=tuple(groups(verdicts)),
        best=tuple(best_row(results, found)),
        more=tuple(each for place in judged(found) for each in more_numbers(results, *place, len(found) > 1)),
        short=tuple(short_answer(counted, found)),
    )


def _leaks(results: Results, comparison: Comparison) -> Iterator[str]:
    """How many images of test are in train too, before any number that they make too high."""
    name = comparison.dataset.short_name
    for job in results.of(ShardsSpec):
        same = job.spec.dataset.short_name == name
        if same and job.record and (leaked := job.record.derived.get("test_images_in_train")):
            count = int(job.record.metrics["data/test"] or 0)
            yield f"Of the {count} test images of {name} {leaked} are in train too, so that every number on them is too high."
    seen: dict[str, object] = {}
    for evaluation in results.of(EvaluateSpec):
        trained = results.pretraining(evaluation)
        here = evaluation.dataset == name
        if here and trained and evaluation.record and (known := evaluation.record.derived.get(PRETRAINED_ON)):
            seen[trained.dataset] = known
    for dataset, number in seen.items():
        yield (
            f"Of the test images of {name} {number} are among those of {dataset} that methods were pretrained on, so that "
            "their numbers may be too high."
        )
