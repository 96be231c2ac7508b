"""Stage collect: put the records of a study into one table, records.csv and records.parquet.

One row a planned job; jobs that have not finished are rows with state missing.
"""

from pathlib import Path

from pipelines.report.flat import records_frame, write_frame
from pipelines.report.study import load_results


def run(plan: Path, results: Path, out: Path) -> None:
    """Write both files and print where they are."""
    found = load_results(plan, results)
    written = write_frame(records_frame(found), out)
    done = sum(job.record is not None for job in found.all)
    print(f"{done} of {len(found.all)} jobs finished: {', '.join(str(path) for path in written)}")
