"""Stage accept: say that a change of the code alters no result of some studies, with the reason, beside the records."""

from pathlib import Path

from pipelines.acceptance import accept, standing
from pipelines.records import read_record
from pipelines.spec.made_by import code_of
from pipelines.spec.plan import plan_file


def run(studies: list[Path], results: Path, reason: str) -> None:
    """Accept every finished result of these studies that other code made."""
    accepted = 0
    for path in studies:
        for job in plan_file(path).jobs.values():
            folder, code = job.folder(results), code_of(job.spec)
            if job.done(results) and standing(read_record(folder), folder, code) in ("changed", "unknown"):
                accept(folder, code, reason)
                accepted += 1
    print(f"{accepted} results accepted: {reason}")
