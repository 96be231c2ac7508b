"""The page over all studies of a results folder, from their briefs."""

from pathlib import Path

import jinja2

from pipelines.durations import duration
from pipelines.files import write_text
from pipelines.report.brief import read_briefs

FILE = "index.html"


def build_index(results: Path, templates: Path) -> Path:
    """Write index.html into the results folder; its path. A study without a page yet is not listed."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("index.html.j2").render(
        briefs=[brief for brief in read_briefs(results) if (results / brief.study / "report.html").exists()],
        duration=duration,
        style=(templates / "report.css").read_text(encoding="utf-8"),
    )
    write_text(results / FILE, page)
    return results / FILE
