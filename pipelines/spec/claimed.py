"""Which runs of a study its claims are about, found before anything runs."""

from typing import Any

from pipelines.errors import InputError
from pipelines.spec.claims import Claim, Group, PlannedClaim, PlannedRuns, Runs
from pipelines.spec.mistakes import suggestion
from pipelines.spec.resolve import Point, point_label, points
from pipelines.spec.study import MethodEntry, Study

PIXELS = "raw pixels"
"""What tables call that floor."""


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
    return found if claim.monitor else found.model_copy(update={"metric": _number(study, metric, where)})


def _runs(study: Study, runs: Runs, where: str) -> PlannedRuns:
    if runs.floor:
        if not study.floors:
            raise InputError(f"{where}.floor: the study has floors: false; leave that out")
        return PlannedRuns(labels=(PIXELS,)) if runs.floor == "pixels" else PlannedRuns(untrained=True)
    entry = next((entry for entry in study.methods if entry.label == runs.method), None)
    if entry is None:
        labels = [entry.label for entry in study.methods]
        raise InputError(
            f"{where}.method: the study has no method {runs.method!r}; {suggestion(str(runs.method), labels)}"
        )
    if runs.tuned and not (study.tuning and entry.label in study.tuning.methods):
        raise InputError(f"{where}.tuned: {entry.label} is not tuned; name it under tuning.methods, or leave tuned out")
    found = _fitting(study, entry, runs, where)
    return PlannedRuns(labels=tuple(point_label(entry, point) + ("_tuned" if runs.tuned else "") for point in found))


def _fitting(study: Study, entry: MethodEntry, runs: Runs, where: str) -> list[Point]:
    """The entry's grid points with these values, over all data sets it is pretrained on."""
    searched = study.tuning.search_of(entry.label).space if runs.tuned and study.tuning else {}
    all_points: list[Point] = []
    for dataset in study.pretraining_sets:
        for point in points(study, entry, dataset):
            kept = {path: value for path, value in point.items() if path not in searched}
            if kept not in all_points:
                all_points.append(kept)
    axes: dict[str, list[Any]] = {}
    for path, value in (item for point in all_points for item in point.items()):
        axes.setdefault(path, []).append(value)
    for path, value in runs.at.items():
        if path not in axes:
            raise InputError(f"{where}.at.{path}: {entry.label} has no such grid axis; {_there_are(axes)}")
        if value not in axes[path]:
            raise InputError(f"{where}.at.{path}: the grid has no {value!r}; {_there_are(axes[path])}")
    return [point for point in all_points if all(point.get(path) == value for path, value in runs.at.items())]


def _there_are(values: Any) -> str:
    return f"there are: {', '.join(map(str, dict.fromkeys(map(str, values)))) or 'none'}"


def _number(study: Study, metric: str | None, where: str) -> str:
    uses = [evaluation.use for evaluation in study.evaluation]
    use, _, number = (metric or uses[0]).partition("/")
    if use not in uses:
        raise InputError(f"{where}.metric: the study has no evaluation {use!r}; {suggestion(use, uses)}")
    if uses.count(use) > 1:
        raise InputError(
            f"{where}.metric: the study has {uses.count(use)} evaluations that use {use}, and the claim does not say "
            "which; leave one of them"
        )
    numbers = study.evaluation[uses.index(use)].numbers
    if number and number not in numbers:
        raise InputError(f"{where}.metric: {use} has no number {number!r}; {suggestion(number, list(numbers))}")
    return f"{use}/{number or numbers[0]}"


def _check_dataset(study: Study, claim: Claim, where: str) -> None:
    known = [data.short_name for data in (study.pretraining_sets if claim.monitor else study.all_datasets)]
    if claim.dataset is not None and claim.dataset not in known:
        raise InputError(
            f"{where}.dataset: the study has no data set {claim.dataset!r} of which that is known; "
            f"{suggestion(claim.dataset, known)}"
        )
