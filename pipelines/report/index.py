"""The page over all studies of a results folder, from their briefs."""

from pathlib import Path

from pipelines.durations import duration
from pipelines.files import write_text
from pipelines.report.brief import read_briefs
from pipelines.report.templates import template

FILE = "index.html"


def build_index(results: Path, templates: Path) -> Path:
    """Write index.html into the results folder; its path. A study without a page yet is not listed."""
    page = template(templates, "index.html.j2").render(
        briefs=[brief for brief in read_briefs(results) if (results / brief.study / "report.html").exists()],
        duration=duration,
        style=(templates / "report.css").read_text(encoding="utf-8"),
    )
    write_text(results / FILE, page)
    return results / FILE
