"""The report's parts: what is compared, what is drawn, in which order, each with its caption."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.colours import Style, styles
from pipelines.errors import DamagedFile, InputError
from pipelines.records import checked_file
from pipelines.report import charts, tuning_charts
from pipelines.report.comparison import Comparison
from pipelines.report.curves import Curve
from pipelines.report.multiples import multiples_chart
from pipelines.report.opened import Opened
from pipelines.report.parallel_chart import parallel_chart
from pipelines.report.shot_charts import shot_chart
from pipelines.report.shots import shot_curves
from pipelines.report.study import AnySpec, Result
from pipelines.report.tables import Table
from pipelines.report.tuning import SearchResult
from pipelines.spec.jobs import ShardsSpec

TRAINING = {"train/loss": "loss", "eval/online_knn": "online kNN, top-1 (share)"}
COLLAPSE = {
    "collapse/spread": "spread of features",
    "collapse/effective_rank": "effective rank",
    "collapse/median_cosine": "median cosine between images",
}
MOST_PICTURE_BYTES = 400_000
"""Larger pictures are left out of the page: it has to stay one small file."""


@dataclass(frozen=True)
class Chart:
    """A titled chart on the page."""

    title: str
    spec: charts.Spec


@dataclass(frozen=True)
class Picture:
    """An image that a job left among its artifacts, as a data address; ``wrong``: why it cannot be shown, in its place."""

    title: str
    source: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Panel:
    """A drawing, as SVG or an img element, made of escaped text alone."""

    title: str
    markup: str


@dataclass(frozen=True)
class SectionGroup:
    """Panels of one kind under a heading. remark: what else has to be said."""

    title: str
    words: str
    panels: tuple[Panel, ...]
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A chapter of the page; empty ones are left out. ``name`` is its anchor, caption file and figure file.

    ``fold``: what to press to see its tables; empty where they are open.
    """

    name: str
    title: str
    caption: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    groups: tuple[SectionGroup, ...] = ()
    legend: tuple[tuple[str, Style], ...] = ()
    fold: str = ""
    opened: tuple[Opened, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.charts or self.tables or self.pictures or self.groups or self.opened)


def caption(folder: Path, name: str) -> tuple[str, ...]:
    """The paragraphs of ``captions/NAME.md`` (plain prose)."""
    path = folder / "captions" / f"{name}.md"
    if not path.exists():
        raise InputError(f"{path}: no such file; it comes with the project: restore it from version control")
    return tuple(" ".join(part.split()) for part in path.read_text(encoding="utf-8").split("\n\n") if part.strip())


def comparison_section(
    comparison: Comparison, table: Table, texts: Path, alone: bool = True, first: bool = True
) -> Section:
    """A data set's table, and a chart for each of its columns that has a number; the whole caption stands once."""
    drawn = [
        Chart(column.title, charts.comparison_chart(comparison, column))
        for column in comparison.columns
        if any(comparison.cells[row, column].by_seed for row in comparison.rows)
    ]
    words = caption(texts, "results")
    title = "Results" if alone else f"Results on {comparison.dataset.short_name}"
    return Section(table.name, title, words if first else words[:1], tuple(drawn), (table,))


def shots_section(comparisons: Sequence[Comparison], texts: Path) -> Section:
    """Accuracy against the number of labels, a chart for every data set and protocol."""
    found = [curves for comparison in comparisons for curves in shot_curves(comparison)]
    style = styles({point.row.title: point.row.method for curves in found for point in curves.points})
    drawn = tuple(Chart(curves.title, shot_chart(curves, style)) for curves in found)
    return Section("shots", "Accuracy against labels", caption(texts, "shots"), drawn, legend=_legend(style))


def curve_sections(found: list[Curve], texts: Path) -> list[Section]:
    """Training and collapse, each small multiples for every metric and data set."""
    parts = (("training", "Training", TRAINING), ("collapse", "Collapse", COLLAPSE))
    return [_curve_section(name, title, metrics, found, texts) for name, title, metrics in parts]


def tuning_section(searches: Sequence[SearchResult], table: Table, texts: Path) -> Section:
    """Best value so far, then the objective against every parameter; the studies of a data set share a chart."""
    style = styles({search.name.label: search.name.method for search in searches})
    drawn = []
    for dataset in dict.fromkeys(search.dataset for search in searches):
        group = [search for search in searches if search.dataset == dataset and search.complete]
        if not group:
            continue
        drawn.append(Chart(f"{dataset} · best so far", tuning_charts.best_so_far_chart(group, style)))
        drawn.append(Chart(f"{dataset} · expected best", tuning_charts.expected_best_chart(group, style)))
        for name in dict.fromkeys(name for search in group for name in search.space):
            inside = [search for search in group if name in search.space]
            drawn.append(Chart(f"{dataset} · {name}", tuning_charts.parameter_chart(inside, name, style)))
        for search in group:
            if lines := parallel_chart(search):
                drawn.append(Chart(f"{dataset} · {search.label} · all options", lines))
    tables = (table,) if searches else ()
    return Section(
        "tuning", "Tuning", caption(texts, "tuning"), tuple(drawn), tables, legend=_legend(style) if drawn else ()
    )


def pictures_of(job: Result[AnySpec]) -> list[Picture]:
    """PNG and JPEG artifacts of a finished job, small ones only, inlined. One that is damaged or gone is told and left out."""
    found = []
    for name, place in sorted(job.record.artifacts.items()) if job.record else ():
        kind = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}.get(Path(place).suffix.lower())
        if job.record and kind:
            title = f"{job.dataset if isinstance(job.spec, ShardsSpec) else job.key}: {name.replace('_', ' ')}"
            try:
                data = checked_file(job.record, job.folder, name).read_bytes()
            except (DamagedFile, OSError):
                told = (
                    f"{place} of {job.stage} {job.key} is missing, or is not what was written; no number depends on it"
                )
                found.append(
                    Picture(title, wrong=f"{told}; python -m pipelines repair STUDY and a new run make it anew")
                )
                continue
            if len(data) <= MOST_PICTURE_BYTES:
                source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
                found.append(Picture(title, source))
    return found


def unshown(sections: Sequence[Section]) -> list[str]:
    """A sentence for every picture that could not be shown."""
    return [f"{picture.title}: {picture.wrong}" for each in sections for picture in each.pictures if picture.wrong]


def _curve_section(name: str, title: str, metrics: dict[str, str], found: list[Curve], texts: Path) -> Section:
    inside = [curve for curve in found if curve.metric in metrics]
    style = styles({curve.label: curve.name.method for curve in inside})
    drawn = []
    for dataset in dict.fromkeys(curve.dataset for curve in inside):
        for metric, words in metrics.items():
            group = [curve for curve in inside if (curve.dataset, curve.metric) == (dataset, metric)]
            if any(len(curve.points) > 1 for curve in group):  # one reading a run draws no line
                drawn.append(Chart(f"{dataset} · {words}", multiples_chart(group, words, style)))
    return Section(name, title, caption(texts, name), tuple(drawn))


def _legend(style: dict[str, Style]) -> tuple[tuple[str, Style], ...]:
    return tuple(style.items())
