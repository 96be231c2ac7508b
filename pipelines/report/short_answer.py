"""The answer of a study in at most three lines, short enough for a terminal."""

from collections.abc import Iterator, Sequence

from pipelines.report.best_row import Judged, judged, near_counted, why_none
from pipelines.report.cells import Column
from pipelines.report.comparison import Comparison
from pipelines.report.noise import letters
from pipelines.report.sentences import called, enumerated, noun, protocol_words
from pipelines.statistics.paired import pairs_needed


def short_answer(counted: str, found: Sequence[Comparison]) -> Iterator[str]:
    """How many claims have which verdict, what is the best, and how many rows are within noise of it."""
    if counted:
        yield counted
    places = judged(found)
    if not places:
        yield from (why_none(each) for each in found[:1])
        return
    yield _alone(*places[0]) if len(places) == 1 else _together(places)
    tested = [place for place in places if letters(*place)]
    if tested:
        yield f"{near_counted(tested)}."
    elif any(len(comparison.ranking(column)) > 1 for comparison, column in places):
        yield f"An order of means: no test can show a difference with fewer than {pairs_needed()} seeds."


def _alone(comparison: Comparison, column: Column) -> str:
    ranking = comparison.ranking(column)
    cell = comparison.cells[ranking[0], column]
    place = f"the highest of {len(ranking)} {noun(ranking)}s" if len(ranking) > 1 else f"the only {noun(ranking)}"
    by = protocol_words(comparison, column)
    value = f"{cell.mean:.1f} %{f' {cell.interval}' if cell.interval.endswith(']') else ''}"
    return f"On {comparison.dataset.short_name}, {called(comparison, ranking[0])} is {place} by {by}: {value}."


def _together(places: Sequence[Judged]) -> str:
    words = list(dict.fromkeys(protocol_words(*place) for place in places))
    by = f" by {words[0]}" if len(words) == 1 else ""
    parts = []
    for comparison, column in places:
        best = comparison.ranking(column)[0]
        value = f"{comparison.cells[best, column].mean:.1f} %"
        parts.append(f"on {comparison.dataset.short_name} {called(comparison, best)} ({value})")
    return f"The highest{by}: {enumerated(parts)}."
