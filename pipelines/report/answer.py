"""The answer of a study in a few sentences, each made from the numbers of its first protocol."""

import statistics
from collections.abc import Iterator

from pipelines.durations import duration
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.noise import difference, letters
from pipelines.report.study import Results
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec, ShardsSpec, TuneSpec
from pipelines.spec.seen_before import PRETRAINED_ON
from pipelines.statistics.intervals import Estimate
from pipelines.statistics.paired import pairs_needed


def answer(results: Results, comparison: Comparison) -> str:
    """A paragraph on one data set, opened by a leak of its test images where there is one."""
    return "".join([*_leak(results, comparison), _answer(results, comparison)])


def _leak(results: Results, comparison: Comparison) -> Iterator[str]:
    """How many images of test are in train too, before any number that they make too high."""
    for job in results.of(ShardsSpec):
        same = job.spec.dataset.short_name == comparison.dataset.short_name
        if same and job.record and (leaked := job.record.derived.get("test_images_in_train")):
            count = int(job.record.metrics["data/test"] or 0)
            yield (
                f"Of the {count} test images of {comparison.dataset.short_name} {leaked} are in train too, so that every "
                "number on them is too high. "
            )
    seen: dict[str, object] = {}
    for evaluation in results.of(EvaluateSpec):
        trained = results.pretraining(evaluation)
        here = evaluation.dataset == comparison.dataset.short_name
        if here and trained and evaluation.record and (known := evaluation.record.derived.get(PRETRAINED_ON)):
            seen[trained.dataset] = known
    for dataset, number in seen.items():
        yield (
            f"Of the test images of {comparison.dataset.short_name} {number} are among those of {dataset} that methods were "
            "pretrained on, so that their numbers may be too high. "
        )


def _answer(results: Results, comparison: Comparison) -> str:
    name = comparison.dataset.short_name
    columns = [column for column in comparison.columns if comparison.best(column)]
    if not columns:
        return f"On {name} {_why_none(comparison)}"
    first = columns[0]
    return " ".join(
        [
            _best(comparison, first),
            *_margins(comparison, first),
            *_noise(comparison, first),
            *_others(comparison, first, columns[1:]),
            *_cost(results, comparison.ranking(first)[0]),
        ]
    )


def _why_none(comparison: Comparison) -> str:
    """Why no method can be called the best."""
    cells = comparison.cells.items()
    told = dict.fromkeys(
        row.title for (row, _), cell in cells if row.pretraining and row.saw_labels and cell.is_complete
    )
    if told:
        return f"every method that has finished saw the labels of the images ({', '.join(told)}), so none is called the best."
    return "no method has finished all its seeds yet, so there is nothing to compare."


def _best(comparison: Comparison, column: Column) -> str:
    ranking = comparison.ranking(column)
    cell = comparison.cells[ranking[0], column]
    seeds = f"{cell.n} seed{'s' if cell.n > 1 else ''}"
    interval = f" {cell.interval}" if cell.interval else ""
    if interval.endswith(" only"):  # [72.6, 81.0] seeds only
        interval = interval.replace("] ", "] (an interval over ").removesuffix(" only") + " alone)"
    name, first = comparison.dataset.short_name, ranking[0].title
    measured = f"by {column.title}: {cell.mean:.1f} %{interval} over {seeds}."
    if len(ranking) == 1:
        return f"On {name}, {first} is the only method with all its seeds, {measured}"
    return f"On {name}, {first} is the highest of {len(ranking)} methods with all their seeds, {measured}"


def _margins(comparison: Comparison, column: Column) -> Iterator[str]:
    """How far the best is from the next method, from its own encoder untrained and from raw pixels."""
    best, *others = comparison.ranking(column)
    if others and (apart := _difference(comparison, column, best, others[0])):
        yield f"The next, {others[0].title}, is {_points(apart, 'below', 'above')}."
    floor = comparison.own_floor(best)
    if floor and (apart := _difference(comparison, column, best, floor)):
        yield f"Before any training its encoder is {_points(apart, 'below', 'above')} it."
    for row in comparison.rows:
        cell = comparison.cells.get((row, column))
        if (
            row.origin == "pixels"
            and cell
            and cell.mean is not None
            and (apart := _difference(comparison, column, best, row))
        ):
            yield f"{row.title.capitalize()} have {cell.mean:.1f} %, {_points(apart, 'less', 'more')}."


def _difference(comparison: Comparison, column: Column, one: Row, other: Row) -> Estimate | None:
    return difference(comparison.cells[one, column], comparison.cells[other, column])


def _points(apart: Estimate, less: str, more: str) -> str:
    """``0.7 points [-0.1, 1.5] below``."""
    sign = -1 if apart.mean < 0 else 1
    text = f"{abs(apart.mean):.1f} points"
    if apart.low is not None and apart.high is not None:
        low, high = sorted((sign * apart.low, sign * apart.high))
        text += f" [{low:z.1f}, {high:z.1f}]"
    return f"{text} {less if sign > 0 else more}"


def _noise(comparison: Comparison, column: Column) -> Iterator[str]:
    """Which methods no test over seeds tells from the best."""
    others = comparison.ranking(column)[1:]
    found = letters(comparison, column)
    if not others:
        return
    if not found:
        yield (
            f"With fewer than {pairs_needed()} seeds in common no test over seeds can show a difference between methods: "
            "this is an order of means."
        )
        return
    near = [row.title for row in others if "a" in found[row]]
    yield f"Within noise of it: {', '.join(near)}." if near else "Every other method was shown to differ from it."


def _others(comparison: Comparison, first: Column, columns: list[Column]) -> Iterator[str]:
    """The best by the further protocols, where it is another method."""
    best = comparison.best(first)
    other = {column.title: row for column in columns if (row := comparison.best(column)) and row != best}
    if other:
        each = "; ".join(f"by {title} {row.title}" for title, row in other.items())
        yield f"Other protocols have another first: {each}."
    elif columns:
        yield f"It is first by {', '.join(column.title for column in columns)} too."


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
