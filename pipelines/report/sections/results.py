"""The leaderboard of each data set: a table, and a chart for each of its columns that has a number."""

from collections.abc import Iterator

from pipelines.report import charts
from pipelines.report.costs import costs
from pipelines.report.material import Material
from pipelines.report.results import results_table
from pipelines.report.section import Chart, Section

ORDER = 30


def sections(material: Material) -> Iterator[Section]:
    """One a data set; the whole caption stands once."""
    words, alone = material.caption("results"), len(material.beside) == 1
    for number, (comparison, figures) in enumerate(material.beside):
        dataset = comparison.dataset.short_name
        name = "results" if alone else f"results-{dataset}"
        drawn = tuple(
            Chart(column.title, charts.comparison_chart(comparison, column))
            for column in comparison.columns
            if any(comparison.cells[row, column].by_seed for row in comparison.rows)
        )
        table = results_table(comparison, figures, name, words[0], costs(material.results, comparison))
        title = "Results" if alone else f"Results on {dataset}"
        yield Section(name, title, words if number == 0 else words[:1], drawn, (table,), part="leaderboard")
