"""Stage collect: put the records of a study into one table, records.csv and records.parquet.

One row a planned job; jobs that have not finished are rows with state missing.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Write both files and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m pipelines collect", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="the study's plan.json (results/STUDY/plan.json)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files, e.g. results/STUDY")
    arguments = parser.parse_args(argv)

    from pipelines.report.flat import records_frame, write_frame
    from pipelines.report.study import load_study

    study = load_study(arguments.plan, arguments.results)
    written = write_frame(records_frame(study), arguments.out)
    done = sum(job.record is not None for job in study.jobs)
    print(f"{done} of {len(study.jobs)} jobs finished: {', '.join(str(path) for path in written)}")
    return 0
