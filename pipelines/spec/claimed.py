"""Which runs of a study its claims are about, found before anything runs."""

from pipelines.errors import InputError
from pipelines.spec.claims import Claim, Group, PlannedClaim, PlannedRuns, Runs
from pipelines.spec.mistakes import suggestion
from pipelines.spec.named import arms, check_floors, number
from pipelines.spec.row_name import PIXELS
from pipelines.spec.study import Study


def planned_claims(study: Study) -> tuple[PlannedClaim, ...]:
    """The claims of a study; InputError names the claim, the key and what there is instead."""
    return tuple(_planned(study, claim, f"claims[{i}]") for i, claim in enumerate(study.claims))


def _planned(study: Study, claim: Claim, where: str) -> PlannedClaim:
    _check_dataset(study, claim, where)
    first, first_over = _side(study, claim, claim.first, f"{where}.first")
    second, second_over = _side(study, claim, claim.second, f"{where}.second")
    if (first, first_over) == (second, second_over):
        raise InputError(f"{where}: first and second are the same runs; name two groups that differ")
    return PlannedClaim(
        text=claim.text,
        source=claim.source,
        first=first,
        first_over=first_over,
        second=second,
        second_over=second_over,
        monitor=claim.monitor,
        relation=claim.relation,
        margin=claim.margin,
        dataset=claim.dataset,
    )


def _side(study: Study, claim: Claim, group: Group, where: str) -> tuple[PlannedRuns, PlannedRuns | None]:
    metric = group.metric or claim.metric
    runs = _measured(study, claim, group, metric, where)
    if group.over is None:
        return runs, None
    return runs, _measured(study, claim, group.over, group.over.metric or metric, f"{where}.over")


def _measured(study: Study, claim: Claim, runs: Runs, metric: str | None, where: str) -> PlannedRuns:
    found = _runs(study, runs, where)
    return (
        found
        if claim.monitor
        else found.model_copy(update={"metric": number(study, metric, f"{where}.metric", "the claim")})
    )


def _runs(study: Study, runs: Runs, where: str) -> PlannedRuns:
    if runs.floor:
        check_floors(study, where)
        return PlannedRuns(labels=(PIXELS,)) if runs.floor == "pixels" else PlannedRuns(untrained=True)
    return PlannedRuns(labels=tuple(arm.label for arm in arms(study, runs, where)))


def _check_dataset(study: Study, claim: Claim, where: str) -> None:
    known = [data.short_name for data in (study.pretraining_sets if claim.monitor else study.all_datasets)]
    if claim.dataset is not None and claim.dataset not in known:
        raise InputError(
            f"{where}.dataset: the study has no data set {claim.dataset!r} of which that is known; "
            f"{suggestion(claim.dataset, known)}"
        )
