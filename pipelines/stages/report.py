"""Stage report: write a study's report.html, its tables (LaTeX, Markdown, CSV) and figures (SVG, PDF) from the records.

Jobs that have not finished print as missing.
"""

from pathlib import Path

from pipelines.files import read_json
from pipelines.report.build import build_report
from pipelines.report.study import load_results
from pipelines.spec.pending import mark_fresh


def run(plan: Path, results: Path, out: Path, texts: Path) -> None:
    """Write everything and print where the page is."""
    print(f"report: {build_report(load_results(plan, results), out, texts)}")
    mark_fresh(read_json(plan), results)
