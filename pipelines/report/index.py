"""The page over all studies of a results folder, from their briefs."""

from pathlib import Path

from pipelines.durations import duration
from pipelines.files import write_text
from pipelines.report.brief import read_briefs
from pipelines.report.templates import template
from pipelines.spec.layout import index_page, report_page


def build_index(results: Path, templates: Path) -> Path:
    """Write index.html into the results folder; its path. A study without a page yet is not listed."""
    page = template(templates, "index.html.j2").render(
        briefs=[brief for brief in read_briefs(results) if report_page(results, brief.study).exists()],
        duration=duration,
        style=(templates / "report.css").read_text(encoding="utf-8"),
    )
    path = index_page(results)
    write_text(path, page)
    return path
