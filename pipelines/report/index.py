"""The page over all studies of a results folder, from their briefs."""

from pathlib import Path

from pipelines.durations import duration
from pipelines.files import write_text
from pipelines.report.brief import read_briefs
from pipelines.report.templates import template
from pipelines.report.verdicts import ORDER
from pipelines.spec.layout import index_page, report_page


def build_index(results: Path, templates: Path) -> Path:
    """Write index.html into the results folder; its path. A study without a page yet is not listed."""
    briefs = [brief for brief in read_briefs(results) if report_page(results, brief.study).exists()]
    page = template(templates, "index.html.j2").render(
        briefs=briefs,
        datasets=sorted({name for brief in briefs for name in brief.datasets}),
        verdicts=[verdict for verdict in ORDER if any(verdict in brief.verdicts for brief in briefs)],
        duration=duration,
        style=(templates / "report.css").read_text(encoding="utf-8"),
    )
    path = index_page(results)
    write_text(path, page)
    return path
