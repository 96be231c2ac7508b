"""Scores over training: histograms as heat maps, means and variances as bands over seeds, and how weights are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.colours import Style, ramp, styles
from pipelines.errors import Problem
from pipelines.histograms import Histograms
from pipelines.records import checked_file
from pipelines.report import score_charts
from pipelines.report.curves import SCORES, Curve
from pipelines.report.material import Material
from pipelines.report.section import Chart, Section
from pipelines.report.study import Results
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
"""Each is up to 2,048 cells: more would make the page slow."""


@dataclass(frozen=True)
class Seen:
    """The histograms of a label on a data set, one a seed, all of equally many steps."""

    label: str
    dataset: str
    each: tuple[Histograms, ...]


def sections(material: Material) -> Iterator[Section]:
    """Heat maps, curves and densities of the methods that have scores."""
    having = {curve.name for curve in material.curves if curve.metric.startswith("scores/")}
    inside = [curve for curve in material.curves if curve.name in having]
    style = graded(list(dict.fromkeys(curve.name for curve in inside)))
    drawn = [*_heat_maps(material.results), *_bands(inside, style), *_densities(material.results)]
    legend = tuple(style.items()) if inside else ()
    yield Section("scores", "Score distribution", material.caption("scores"), tuple(drawn), legend=legend)


def graded(names: Sequence[RowName]) -> dict[str, Style]:
    """A style for each label: where all are points of one method's grid, colours in its order, else each method's own."""
    if len(names) > 2 and len({name.method for name in names}) == 1 and all(name.point for name in names):
        return {name.label: Style(shade, ()) for name, shade in zip(names, ramp(len(names)))}
    return styles({name.label: name.method for name in names})


def histograms_of(results: Results) -> list[Seen]:
    """By label and data set, of finished pretrainings whose file is there and whole; others are left out."""
    found: dict[tuple[str, str], list[Histograms]] = {}
    for job in results.of(PretrainSpec):
        if job.record and "scores" in job.record.artifacts:
            try:
                read = Histograms.load(checked_file(job.record, job.folder, "scores"))
            except Problem:
                continue
            group = found.setdefault((job.label, job.dataset), [])
            if not group or group[0].total_steps == read.total_steps:
                group.append(read)
    return [Seen(label, dataset, tuple(group)) for (label, dataset), group in found.items()]


def _heat_maps(results: Results) -> Iterator[Chart]:
    charts = [
        (f"{seen.dataset} · {seen.label} · {_named(seen, side)}", seen, side)
        for seen in histograms_of(results)
        for side in SIDES
        if any(side in one.counts for one in seen.each)
    ]
    for title, seen, side in charts[:MOST_HEAT_MAPS]:
        yield Chart(title, score_charts.heat_map(seen.each, side, "score"))


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
