"""Stage verify: all that studies' results hold, compared with what is known of it; a line for every fault."""

from pathlib import Path

from pipelines.advice import typed
from pipelines.checking.progress import ReadingProgress
from pipelines.checking.studies import faults
from pipelines.spec.plan import plan_file


def run(studies: list[Path], results: Path) -> int:
    """Print every fault; 1 where there is one."""
    progress, found = ReadingProgress(), 0
    for path in studies:
        for fault in faults(plan_file(path), results, progress):
            print(fault.told, flush=True)
            found += 1
    print(f"{found} faults; {progress.files} files of {progress.bytes / 1e9:.2f} GB were read")
    if found:
        print(f"{typed('repair', *studies, '--results', results)} does what the lines advise")
    return int(found > 0)
