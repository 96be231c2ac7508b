"""Tuning: how far each search came, and its objective against every parameter."""

from collections.abc import Iterator, Sequence

from pipelines.colours import Style, styles
from pipelines.report import tuning_charts
from pipelines.report.material import Material
from pipelines.report.parallel_chart import parallel_chart
from pipelines.report.section import Chart, Section
from pipelines.report.tuning import SearchResult, tuning_table

ORDER = 170


def sections(material: Material) -> Iterator[Section]:
    """Best value so far, then the objective against every parameter; the studies of a data set share a chart."""
    searches, words = material.searches, material.caption("tuning")
    style = styles({search.name.label: search.name.method for search in searches})
    drawn: list[Chart] = []
    for dataset in dict.fromkeys(search.dataset for search in searches):
        drawn += _charts(dataset, [each for each in searches if each.dataset == dataset and each.complete], style)
    tables = (tuning_table(searches, words[0]),) if searches else ()
    legend = tuple(style.items()) if drawn else ()
    yield Section("tuning", "Tuning", words, tuple(drawn), tables, legend=legend)


def _charts(dataset: str, group: Sequence[SearchResult], style: dict[str, Style]) -> Iterator[Chart]:
    """Of the searches on one data set that have a complete trial."""
    if not group:
        return
    yield Chart(f"{dataset} · best so far", tuning_charts.best_so_far_chart(group, style))
    yield Chart(f"{dataset} · expected best", tuning_charts.expected_best_chart(group, style))
    for name in dict.fromkeys(name for search in group for name in search.space):
        inside = [search for search in group if name in search.space]
        yield Chart(f"{dataset} · {name}", tuning_charts.parameter_chart(inside, name, style))
    for search in group:
        if lines := parallel_chart(search):
            yield Chart(f"{dataset} · {search.label} · all options", lines)
