"""What a batch in chunks costs and spares: SimCLR's step and the most memory its process ever had, by device_batch_size.

    python benchmarks/chunks.py --json benchmarks/results/chunks.json
    python benchmarks/chunks.py --device cuda --json benchmarks/results/chunks_gpu.json

ResNet-18 of width 16 with a small stem on 32-pixel images of random bytes, batch 64 (128 views), float32, one core. Each
setting trains in a process of its own; all take turns. The time is that of the processor, which others' load does not
lengthen as it does the clock's. On a GPU the network is wider and the batch larger; the time is the clock's there, read when
the GPU has done all that it was given, and memory is what torch has allocated on it.
"""

import statistics
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, keep_cores, row
from benchmarks.contest import Runner, Segment, TimedTrainer, contest, paired
from benchmarks.devices import Memory, checked, clock_of, device_of, device_option, gpu_of, result_name, settle
from benchmarks.feature_transform import RandomBytes

SIZE, CORES = 32, 1


@dataclass(frozen=True)
class Work:
    """What is trained: the batch, the network's width, and at most how many images at a time."""

    batch: int
    width: int
    limits: tuple[int | None, ...]


WORK = {"cpu": Work(64, 16, (None, 32, 16)), "cuda": Work(1024, 64, (None, 512, 256))}
FULL: dict[str, dict[str, Any]] = {
    "cpu": {"rounds": 3, "warm": 1, "steps": 2},
    "cuda": {"rounds": 5, "warm": 10, "steps": 30},
}
QUICK: dict[str, Any] = {"rounds": 1, "warm": 1, "steps": 1}


def simclr(limit: int | None, threads: int, name: str) -> Runner:
    """Turns of SimCLR by the Trainer, at most ``limit`` images at a time; each tells the peak memory so far (MiB).

    name: of the device.
    """
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
    options, work, device = Options(), WORK[name], device_of(name)
    encoder, facts = ResNet(depth=18, width=work.width, stem="small"), DataFacts(10**6, num_classes=1, image_size=SIZE)
    timed = TimedTrainer(clock_of(device), partial(settle, device))
    timed.trainer = Trainer(
        method=fresh_method(options, encoder, facts, seed=0),
        data=RandomBytes(work.batch, name),
        make_views=ViewMaker(options.default_views(SIZE), SIZE, [0.5], [0.25]),
        training=Training(batch_size=work.batch, device_batch_size=limit, precision="float32"),
        seed=0,
        device=device,
        stop=timed.stop,
    )
    memory = Memory(device)
    return lambda warm, steps: {**timed(warm, steps), "peak_mib": memory.peak()}


def name_of(limit: int | None) -> str:
    """How a setting is called."""
    return "whole" if limit is None else f"device_batch_size {limit}"


def rows(turns: dict[str, list[Segment]], clock: str) -> list[dict[str, Any]]:
    """Milliseconds a step, what that adds to the whole batch's, and the memory that training added. clock: whose time."""
    steps = {name: [statistics.mean(turn["seconds"]) for turn in of] for name, of in turns.items()}
    found = []
    for name, of in turns.items():
        found.append(row(f"{name}: step, {clock}", 1000 * statistics.median(steps[name]), "ms"))
        if name != "whole":
            found.append(row(f"{name}: adds", 100 * (paired(steps[name], steps["whole"]) - 1), "%"))
        found.append(row(f"{name}: memory of training", max(turn["peak_mib"] for turn in of), "MiB"))
    return found


def main() -> None:
    parser = arguments_of(__doc__)
    device_option(parser)
    arguments = parser.parse_args()
    device, threads = checked(arguments.device), keep_cores(CORES)
    setting, work = QUICK if arguments.quick else FULL[device], WORK[device]
    what = f"SimCLR, ResNet-18 of width {work.width}, batch {work.batch}, {SIZE} pixels, float32, {threads} core."
    settings = {**setting, "threads": threads}
    report = Report(result_name("chunks", device), what, ("torch",), settings, arguments.quick, gpu_of(device))
    turns = contest(makers_of(device, threads), setting["rounds"], setting["warm"], setting["steps"])
    clock = "processor time" if device == "cpu" else "by the clock"
    report.finish(rows(turns, clock), {"turns": turns}, arguments.json)


def makers_of(device: str, threads: int) -> dict[str, tuple[Any, ...]]:
    """The settings that are compared, as ``contest`` takes them: all on one device."""
    return {name_of(limit): (simclr, limit, threads, device) for limit in WORK[device].limits}


if __name__ == "__main__":
    main()
