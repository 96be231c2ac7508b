"""More about the best row of a data set: its floors, the best by further protocols, and what its numbers cost."""

import statistics
from collections.abc import Iterator, Sequence

from pipelines.durations import duration
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.noise import letters
from pipelines.report.sentences import apart, called, difference_words, enumerated, protocol_words
from pipelines.report.study import Results
from pipelines.spec.jobs import PretrainSpec, TuneSpec


def more_numbers(results: Results, comparison: Comparison, column: Column, several: bool) -> Iterator[str]:
    """A paragraph; ``several``: of one data set among more, whose margins stand nowhere else."""
    ranking = comparison.ranking(column)
    further = [each for each in comparison.columns if each != column and comparison.best(each)]
    said = [
        *(_next(comparison, column, ranking) if several else ()),
        *_floors(comparison, column, ranking[0]),
        *_others(comparison, ranking[0], further),
        *_cost(results, ranking[0]),
    ]
    where, by = comparison.dataset.short_name, protocol_words(comparison, column)
    if said:
        yield f"On {where}, {called(comparison, ranking[0])} by {by}: {' '.join(said)}"


def _next(comparison: Comparison, column: Column, ranking: Sequence[Row]) -> Iterator[str]:
    """The margin over the next row, and all that are within noise of the best."""
    best, *others = ranking
    if others and (margin := apart(comparison, column, best, others[0])):
        yield f"The next, {called(comparison, others[0])}, is {difference_words(margin, 'below', 'above')}."
    found = letters(comparison, column)
    near = [called(comparison, row) for row in others if "a" in found.get(row, "")]
    if near:
        yield f"Within noise of it: {enumerated(near)}."


def _floors(comparison: Comparison, column: Column, best: Row) -> Iterator[str]:
    """How far the best is from its own encoder untrained and from raw pixels."""
    floor = comparison.own_floor(best)
    if floor and (margin := apart(comparison, column, best, floor)):
        yield f"Before any training its encoder is {difference_words(margin, 'below', 'above')} it."
    for row in comparison.rows:
        cell = comparison.cells[row, column]
        if row.origin == "pixels" and cell.mean is not None and (margin := apart(comparison, column, best, row)):
            yield f"{row.title.capitalize()} have {cell.mean:.1f} %, {difference_words(margin, 'less', 'more')}."


def _others(comparison: Comparison, best: Row, columns: Sequence[Column]) -> Iterator[str]:
    """The best by the further protocols, where it is another row."""
    other: dict[str, list[str]] = {}
    for column in columns:
        row = comparison.best(column)
        if row and row != best:
            other.setdefault(called(comparison, row), []).append(protocol_words(comparison, column))
    if other:
        each = "; ".join(f"{title} {enumerated([f'by {word}' for word in words])}" for title, words in other.items())
        yield f"Other protocols have another first: {each}."
    elif columns:
        yield f"It is first by {enumerated([protocol_words(comparison, column) for column in columns])} too."


def _cost(results: Results, row: Row) -> Iterator[str]:
    """Time of the pretrainings behind a row, and of the search that chose its options."""
    jobs = [job for job in results.of(PretrainSpec) if (job.label, job.dataset) == (row.label, row.trained_on)]
    seconds = [job.record.seconds for job in jobs if job.record]
    searches = {job.inputs["best"] for job in jobs if "best" in job.inputs}
    searched = [job.record.seconds for job in results.of(TuneSpec) if job.key in searches and job.record]
    if seconds:
        devices = " and ".join(dict.fromkeys(job.record.device for job in jobs if job.record))
        search = f", after a search of {duration(sum(searched))}" if searched else ""
        yield f"A pretraining of it took {duration(statistics.median(seconds))} (median) on {devices}{search}."
