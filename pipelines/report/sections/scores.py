"""Scores over training: histograms as heat maps, means and variances as bands over seeds, and how weights are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.colours import Style, ramp, styles
from pipelines.errors import Problem
from pipelines.histograms import FILE, Histograms
from pipelines.records import checked_file
from pipelines.report import score_charts
from pipelines.report.binned import binned_curves
from pipelines.report.curves import SCORES, Curve
from pipelines.report.material import Material
from pipelines.report.section import Chart, Section
from pipelines.report.study import Result, Results
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.row_name import RowName

ORDER = 150
SIDES = {
    "untransformed_negative": "negative scores before transformation",
    "negative": "negative scores",
    "untransformed_positive": "positive scores before transformation",
    "positive": "positive scores",
}
MOST_HEAT_MAPS = 40
"""Each is up to 2,048 cells: more would make the page slow. Those of scores before transformation give way first."""


@dataclass(frozen=True)
class Seen:
    """The histograms of a label on a data set, one a seed, all of equally many steps."""

    label: str
    dataset: str
    each: tuple[Histograms, ...]


def sections(material: Material) -> Iterator[Section]:
    """Heat maps, curves and densities of the methods that have scores."""
    found = [*material.curves, *binned_curves(read_histograms(material.results))]
    having = {curve.name for curve in found if curve.metric.startswith("scores/")}
    inside = [curve for curve in found if curve.name in having]
    style = graded(list(dict.fromkeys(curve.name for curve in inside)))
    maps = _maps(material.results)
    shown = chosen(maps)
    drawn = [*map(_heat_map, shown), *_bands(inside, style), *_densities(material.results)]
    legend = tuple(style.items()) if inside else ()
    caption = _with_omitted(material.caption("scores"), len(maps) - len(shown))
    yield Section("scores", "Score distribution", caption, tuple(drawn), legend=legend)


def graded(names: Sequence[RowName]) -> dict[str, Style]:
    """A style for each label: where all are points of one method's grid, colours in its order, else each method's own."""
    if len(names) > 2 and len({name.method for name in names}) == 1 and all(name.point for name in names):
        return {name.label: Style(shade, ()) for name, shade in zip(names, ramp(len(names)))}
    return styles({name.label: name.method for name in names})


def read_histograms(results: Results) -> Iterator[tuple[Result[PretrainSpec], Histograms]]:
    """Those of finished pretrainings whose file is there and whole; others are left out."""
    for job in results.of(PretrainSpec):
        if job.record and "scores" in job.record.artifacts:
            try:
                yield job, Histograms.load(checked_file(job.record, job.folder, "scores"))
            except Problem:
                continue


def histograms_of(results: Results) -> list[Seen]:
    """By label and data set; a seed of another number of steps than the first is left out."""
    found: dict[tuple[str, str], list[Histograms]] = {}
    for job, read in read_histograms(results):
        group = found.setdefault((job.label, job.dataset), [])
        if not group or group[0].total_steps == read.total_steps:
            group.append(read)
    return [Seen(label, dataset, tuple(group)) for (label, dataset), group in found.items()]


Map = tuple[Seen, str]
"""Whose scores, and of which side."""


def _maps(results: Results) -> list[Map]:
    """Every map that could be drawn, in the order of the page."""
    return [
        (seen, side)
        for seen in histograms_of(results)
        for side in SIDES
        if any(side in one.counts for one in seen.each)
    ]


def chosen(maps: Sequence[Map]) -> list[Map]:
    """At most ``MOST_HEAT_MAPS`` of them, in their order: what losses have seen before what was there before transformation.

    So that no method is without its maps because others, which stand before it, have two of each.
    """
    first = sorted(range(len(maps)), key=lambda place: maps[place][1].startswith("untransformed_"))
    return [maps[place] for place in sorted(first[:MOST_HEAT_MAPS])]


def _with_omitted(caption: tuple[str, ...], omitted: int) -> tuple[str, ...]:
    if not omitted:
        return caption
    told = f"{omitted} further maps are left out, so that the page stays quick; their counts are in each training's {FILE}."
    return (f"{caption[0]} {told}", *caption[1:])


def _heat_map(one: Map) -> Chart:
    seen, side = one
    title = f"{seen.dataset} · {seen.label} · {_named(seen, side)}"
    return Chart(title, score_charts.heat_map(seen.each, side, "score"))


def _named(seen: Seen, side: str) -> str:
    transformed = any(name.startswith("untransformed_") for one in seen.each for name in one.counts)
    return SIDES[side] + (" after transformation" if transformed and not side.startswith("untransformed_") else "")


def _bands(inside: Sequence[Curve], style: dict[str, Style]) -> Iterator[Chart]:
    for dataset in dict.fromkeys(curve.dataset for curve in inside):
        for metric, words in SCORES.items():
            group = [curve for curve in inside if (curve.dataset, curve.metric) == (dataset, metric)]
            if group:
                log = metric.endswith("gradient_norm")
                yield Chart(f"{dataset} · {words}", score_charts.band_chart(group, words, style, log))


def _densities(results: Results) -> Iterator[Chart]:
    """How the weights of each side are drawn, for every alpha that the study sets."""
    used = [getattr(job.spec.method, "feature_transform", None) for job in results.of(PretrainSpec)]
    options = [each for each in used if isinstance(each, FeatureTransform)]
    positive = sorted({each.positive.alpha for each in options if each.positive})
    negative = sorted({each.negative.alpha for each in options if each.negative})
    if positive:
        yield Chart("weights of the positive side by alpha", score_charts.density_chart(positive, 1.0))
    if negative:
        yield Chart("weights of the negative side by alpha", score_charts.density_chart(negative, 0.0))
