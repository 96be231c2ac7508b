"""Stage accept: say that a change of code or files alters no result of some studies, with the reason, beside the records."""

from pathlib import Path

from pipelines.acceptance import accept, standing
from pipelines.records import read_record
from pipelines.spec.made_by import code_of
from pipelines.spec.plan import plan_file
from pipelines.spec.restocked import restocked


def run(studies: list[Path], results: Path, reason: str) -> None:
    """Accept every finished result of these studies that other code made, and all shards of files that changed."""
    accepted = 0
    for path in studies:
        for job in plan_file(path).jobs.values():
            folder, code = job.folder(results), code_of(job.spec)
            other = restocked(job, results)
            if job.done(results) and (other or standing(read_record(folder), folder, code) in ("changed", "unknown")):
                accept(folder, code, reason, other.digest if other else "")
                accepted += 1
    print(f"{accepted} results accepted: {reason}")
