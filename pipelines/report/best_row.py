"""The best row of a study in at most three sentences: how good it is, what is within noise of it, what it cost and lacks."""

import statistics
from collections.abc import Iterator, Sequence

from pipelines.durations import duration
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison, short_flag
from pipelines.report.noise import letters
from pipelines.report.sentences import (
    apart,
    called,
    difference_words,
    enumerated,
    interval_words,
    noun,
    p_words,
    protocol_words,
)
from pipelines.report.study import Results
from pipelines.spec.jobs import PretrainSpec
from pipelines.statistics.paired import pairs_needed

MOST_NAMED = 4
"""Rows within noise that are named; of more their number is told."""
FLOORS = {"pixels": "raw pixels", "untrained": "its own encoder before training", "guess": "a guess"}
ORDER_OF_MEANS = (
    f"With fewer than {pairs_needed()} seeds in common this is an order of means: no test can show a difference"
)
Judged = tuple[Comparison, Column]
"""A comparison with the first column that has a best row."""


def judged(found: Sequence[Comparison]) -> list[Judged]:
    """Those where a row can be called the best."""
    columns = [(each, next((column for column in each.columns if each.best(column)), None)) for each in found]
    return [(comparison, column) for comparison, column in columns if column]


def best_row(results: Results, found: Sequence[Comparison]) -> list[str]:
    """At most three sentences; where nothing can be called the best, why."""
    places = judged(found)
    if not places:
        return [*dict.fromkeys(why_none(each) for each in found[:1]), *_state(results)]
    leads = _alone(*places[0]) if len(places) == 1 else _together(places)
    row = places[0][0].ranking(places[0][1])[0]
    return [leads, *_noise(places), *_cost_and_state(results, row)]


def why_none(comparison: Comparison) -> str:
    """Why no row can be called the best."""
    name, cells = comparison.dataset.short_name, comparison.cells.items()
    told = dict.fromkeys(
        row.title for (row, _), cell in cells if row.pretraining and row.saw_labels and cell.is_complete
    )
    if told:
        return (
            f"On {name} every method that has finished saw the labels of the images ({', '.join(told)}), so none is called "
            "the best."
        )
    return f"On {name} no method has finished all its seeds yet, so there is nothing to compare."


def _alone(comparison: Comparison, column: Column) -> str:
    """The best of one data set, with its margin over the next."""
    ranking, name = comparison.ranking(column), comparison.dataset.short_name
    best, place, by = ranking[0], _place(comparison, ranking), protocol_words(comparison, column)
    cell = comparison.cells[best, column]
    value = f"{cell.mean:.1f} %{interval_words(cell)} over {cell.n} seed{'s' if cell.n > 1 else ''}"
    text = f"On {name}, {called(comparison, best)} is {place} by {by}: {value}"
    if len(ranking) > 1 and (margin := apart(comparison, column, best, ranking[1])):
        text += (
            f", {difference_words(margin, 'above', 'below')} the next {noun(ranking)}, {called(comparison, ranking[1])}"
        )
        near = "a" in letters(comparison, column).get(ranking[1], "")
        text += p_words(comparison, column, best, ranking[1]) if near else ""
    return f"{text}."


def _place(comparison: Comparison, ranking: Sequence[Row]) -> str:
    kind = noun(ranking)
    competing = sum(row.competes for row in comparison.rows)
    done = " with all their seeds" if competing > len(ranking) else ""
    if len(ranking) == 1:
        return f"the only {kind} with all its seeds" if competing > 1 else f"the only {kind}"
    return f"the highest of {len(ranking)} {kind}s{done}"


def _together(places: Sequence[Judged]) -> str:
    """For each data set its best, in one sentence."""
    words = [protocol_words(*place) for place in places]
    same = len(set(words)) == 1
    parts = []
    for (comparison, column), by in zip(places, words):
        best = comparison.best(column)
        cell = comparison.cells[best, column] if best else None
        if best and cell:
            value = f"{cell.mean:.1f} %{f' {cell.interval}' if cell.interval else ''}{'' if same else f', {by}'}"
            parts.append(f"on {comparison.dataset.short_name} {called(comparison, best)} ({value})")
    return f"The highest{f' by {words[0]}' if same else ''}: {enumerated(parts)}."


def _noise(places: Sequence[Judged]) -> Iterator[str]:
    """What no test over seeds tells from the best, and the floors that are as high."""
    above = [each for place in places for each in _floors_above(*place, len(places) > 1)]
    clause = f"; as high or higher: {enumerated(above)}" if above else ""
    tested = [place for place in places if letters(*place)]
    if tested:
        yield f"{_near(*tested[0]) if len(places) == 1 else near_counted(tested)}{clause}."
    elif any(len(comparison.ranking(column)) > 1 for comparison, column in places):
        yield f"{ORDER_OF_MEANS}{clause}."
    elif above:
        yield f"As high or higher: {enumerated(above)}."


def near_counted(places: Sequence[Judged]) -> str:
    """How many rows are within noise of the best, by data set where there are several."""
    parts = []
    for comparison, column in places:
        others, found = comparison.ranking(column)[1:], letters(comparison, column)
        near = sum("a" in found[row] for row in others)
        where = f" on {comparison.dataset.short_name}" if len(places) > 1 else ""
        parts.append(f"{near or 'none'} of the {len(others)} others{where}")
    return f"Within noise of {'these' if len(places) > 1 else 'it'}: {enumerated(parts)}"


def _near(comparison: Comparison, column: Column) -> str:
    """``Within noise of it: the arms a and b``; of many their number."""
    others, found = comparison.ranking(column)[1:], letters(comparison, column)
    kind = noun(comparison.ranking(column))
    near = [called(comparison, row) for row in others if "a" in found[row]]
    if not near:
        return f"Every other {kind} was shown to differ from it"
    if len(near) > MOST_NAMED:
        return f"Within noise of it: {len(near)} of the {len(others)} other {kind}s"
    return f"Within noise of it: the {kind}{'s' if len(near) > 1 else ''} {enumerated(near)}"


def _floors_above(comparison: Comparison, column: Column, several: bool) -> Iterator[str]:
    best = comparison.best(column)
    where = f" on {comparison.dataset.short_name}" if several else ""
    for floor in comparison.not_above(best, column) if best else ():
        yield f"{FLOORS.get(floor.origin, floor.title)}{where} ({comparison.cells[floor, column].mean:.1f} %)"


def _cost_and_state(results: Results, row: Row) -> Iterator[str]:
    """One sentence: time of a pretraining, jobs that are missing, jobs that are flagged."""
    jobs = [job for job in results.of(PretrainSpec) if (job.label, job.dataset) == (row.label, row.trained_on)]
    seconds = [job.record.seconds for job in jobs if job.record]
    cost = [f"A pretraining of {row.label} took {duration(statistics.median(seconds))}"] if seconds else []
    state = list(_state(results))
    if cost or state:
        yield f"{'; '.join([*cost, *(each.removesuffix('.') for each in state)])}."


def _state(results: Results) -> Iterator[str]:
    """What is missing or flagged, where something is."""
    missing = sum(job.record is None for job in results.all)
    flagged = sum(bool(job.flags) for job in results.all)
    kinds = ", ".join(dict.fromkeys(short_flag(flag) for job in results.all for flag in job.flags))
    parts = [f"{missing} of {len(results.all)} jobs are missing"] if missing else []
    parts += [f"{flagged} of {len(results.all)} jobs are flagged ({kinds})"] if flagged else []
    if parts:
        yield f"{enumerated(parts)}."
