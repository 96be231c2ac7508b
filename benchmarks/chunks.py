"""What a batch in chunks costs and spares: SimCLR's step and the most memory its process ever had, by device_batch_size.

    python benchmarks/chunks.py --json benchmarks/results/chunks.json

ResNet-18 of width 16 with a small stem on 32-pixel images of random bytes, batch 64 (128 views), float32, one core. Each
setting trains in a process of its own; all take turns. The time is that of the processor, which others' load does not
lengthen as it does the clock's.
"""

import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, keep_cores, row
from benchmarks.contest import Runner, Segment, TimedTrainer, contest, paired
from benchmarks.feature_transform import RandomBytes

SIZE, BATCH, WIDTH, CORES = 32, 64, 16, 1
LIMITS = (None, 32, 16)
FULL: dict[str, Any] = {"rounds": 3, "warm": 1, "steps": 2}
QUICK: dict[str, Any] = {"rounds": 1, "warm": 1, "steps": 1}


def simclr(limit: int | None, threads: int) -> Runner:
    """Turns of SimCLR by the Trainer, at most ``limit`` images at a time; each tells the peak memory so far (MiB)."""
    import torch

    from pipelines.building.methods import fresh_method
    from pipelines.methods.base import DataFacts
    from pipelines.spec.encoders.resnet import Options as ResNet
    from pipelines.spec.methods.simclr import Options
    from pipelines.spec.training import Training
    from pipelines.training.loop import Trainer
    from pipelines.training.memory import keep_freed_memory
    from pipelines.views.maker import ViewMaker

    torch.set_num_threads(threads)
    keep_freed_memory()  # as stages do
    options = Options()
    encoder, facts = ResNet(depth=18, width=WIDTH, stem="small"), DataFacts(10**6, num_classes=1, image_size=SIZE)
    timed = TimedTrainer()
    timed.trainer = Trainer(
        method=fresh_method(options, encoder, facts, seed=0),
        data=RandomBytes(BATCH),
        make_views=ViewMaker(options.default_views(SIZE), SIZE, [0.5], [0.25]),
        training=Training(batch_size=BATCH, device_batch_size=limit, precision="float32"),
        seed=0,
        device=torch.device("cpu"),
        stop=timed.stop,
    )
    before = _peak()

    def turn(warm: int, steps: int) -> Segment:
        start = time.process_time()
        told = timed(warm, steps)
        busy = (time.process_time() - start) / (warm + steps)
        return {**told, "busy_seconds": busy, "peak_mib": _peak() - before}

    return turn


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def name_of(limit: int | None) -> str:
    """How a setting is called."""
    return "whole" if limit is None else f"device_batch_size {limit}"


def rows(turns: dict[str, list[Segment]]) -> list[dict[str, Any]]:
    """Milliseconds of the processor a step, what that adds to the whole batch's, and the memory that training added."""
    steps = {name: [turn["busy_seconds"] for turn in of] for name, of in turns.items()}
    found = []
    for name, of in turns.items():
        found.append(row(f"{name}: step, processor time", 1000 * statistics.median(steps[name]), "ms"))
        if name != "whole":
            found.append(row(f"{name}: adds", 100 * (paired(steps[name], steps["whole"]) - 1), "%"))
        found.append(row(f"{name}: memory of training", max(turn["peak_mib"] for turn in of), "MiB"))
    return found


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    threads = keep_cores(CORES)
    setting = QUICK if arguments.quick else FULL
    what = f"SimCLR, ResNet-18 of width {WIDTH}, batch {BATCH}, {SIZE} pixels, float32, {threads} core."
    report = Report("chunks", what, ("torch",), {**setting, "threads": threads}, arguments.quick)
    makers = {name_of(limit): (simclr, limit, threads) for limit in LIMITS}
    turns = contest(makers, setting["rounds"], setting["warm"], setting["steps"])
    report.finish(rows(turns), {"turns": turns}, arguments.json)


if __name__ == "__main__":
    main()
