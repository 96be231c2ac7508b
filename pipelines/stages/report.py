"""Stage report: write a study's report.html, its tables (LaTeX, Markdown, CSV) and figures (SVG, PDF) from the records.

Jobs that have not finished print as missing.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

TEXTS = Path(__file__).resolve().parents[2] / "reports"


def main(argv: Sequence[str]) -> int:
    """Write everything and print where the page is."""
    parser = argparse.ArgumentParser(prog="python -m pipelines report", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="the study's plan.json (results/STUDY/plan.json)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report, e.g. results/STUDY")
    parser.add_argument("--texts", type=Path, default=TEXTS, help="folder with published/, templates/ and captions/")
    arguments = parser.parse_args(argv)

    from pipelines.report.build import build_report
    from pipelines.report.study import load_study

    study = load_study(arguments.plan, arguments.results)
    print(f"report: {build_report(study, arguments.out, arguments.texts)}")
    return 0
