"""Stage report: write a study's report.html, its tables (LaTeX, Markdown, CSV) and figures (SVG, PDF) from the records.

Jobs that have not finished print as missing. The index over all studies of the results folder is written anew, too.
"""

from pathlib import Path

from pipelines.advice import plan_again
from pipelines.files import read_sealed
from pipelines.report.build import build_report
from pipelines.report.index import build_index
from pipelines.report.mixed import standings
from pipelines.report.study import load_results
from pipelines.spec.pending import mark_fresh


def run(plan: Path, results: Path, out: Path, texts: Path) -> None:
    """Write everything and print where the page is."""
    found = load_results(plan, results)
    print(f"report: {build_report(found, out, texts, standings(found))}")
    print(f"all studies: {build_index(results, texts / 'templates')}")
    mark_fresh(read_sealed(plan, plan_again(results)), results)
