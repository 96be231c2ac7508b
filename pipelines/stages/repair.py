"""Stage repair: what the lines of verify advise, done, so that the next run makes exactly the damaged results anew."""

from pathlib import Path

from pipelines.checking.mending import mend
from pipelines.checking.progress import ReadingProgress
from pipelines.checking.studies import faults
from pipelines.spec.plan import plan_file


def run(studies: list[Path], results: Path) -> None:
    """Print every fault and what was done about it."""
    done = 0
    for path in studies:
        plan = plan_file(path)
        found = list(faults(plan, results, ReadingProgress()))
        for fault in found:
            print(f"found: {fault.told}")
        for sentence in mend(plan, results, found):
            print(f"done: {sentence}", flush=True)
            done += 1
    print(f"{done} things mended; the next call of snakemake does the rest" if done else "nothing is damaged")
