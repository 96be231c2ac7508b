"""Gradients of two processes as one: ours beside torch's DistributedDataParallel, in one run, taking turns.

    python benchmarks/gradient_mean.py --json benchmarks/results/gradient_mean.json

Two processes (gloo, CPU, one thread each) run forward, backward and averaging of a ResNet-18 in buckets of 25 MiB, as
both do by themselves; DistributedDataParallel with gradient_as_bucket_view, and once more with static_graph. Times are
those of the clock, between two barriers: on processors they tell what the bookkeeping costs, not what the overlap gains
on GPUs.
"""

import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import paired

BATCH, SIDE = 16, 64
OURS, DDP, STATIC, ALONE = "ours", "DistributedDataParallel", "DistributedDataParallel, static graph", "no averaging"
FULL: dict[str, int] = {"rounds": 9, "warm": 2, "steps": 2}
QUICK: dict[str, int] = {"rounds": 1, "warm": 1, "steps": 1}


def contestants() -> dict[str, Callable[[], object]]:
    """Name -> one step of a network of its own, the same weights and images in all."""
    import torch
    from torch.nn.parallel import DistributedDataParallel
    from torchvision.models import resnet18

    from pipelines.training.gradients import GradientMean

    def network() -> torch.nn.Module:
        torch.manual_seed(0)
        return resnet18().to(memory_format=torch.channels_last)

    images = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    plain, bare = network(), network()
    mean = GradientMean(plain)
    wrapped = DistributedDataParallel(network(), gradient_as_bucket_view=True, forward_sync_buffers=False)
    static = DistributedDataParallel(
        network(), gradient_as_bucket_view=True, forward_sync_buffers=False, static_graph=True
    )

    def ours() -> None:
        plain.zero_grad(set_to_none=True)
        loss = plain(images).square().mean()
        mean.begin(torch.zeros(2))
        loss.backward()
        mean.finish()

    def step_of(module: torch.nn.Module) -> Callable[[], None]:
        def step() -> None:
            module.zero_grad(set_to_none=True)
            module(images).square().mean().backward()

        return step

    return {OURS: ours, DDP: step_of(wrapped), STATIC: step_of(static), ALONE: step_of(bare)}


def process(rank: int, port: int, setting: dict[str, int], told: Any) -> None:
    """One of the two: turns of all contestants; the first sends the seconds a step of every turn."""
    import torch
    import torch.distributed as dist

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    works = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(setting["warm"] + setting["rounds"]):
        for name, work in works.items():
            dist.barrier()
            start = time.perf_counter()
            for _ in range(setting["steps"]):
                work()
            dist.barrier()
            if number >= setting["warm"]:
                seconds[name].append((time.perf_counter() - start) / setting["steps"])
    if rank == 0:
        told.put(seconds)
    dist.destroy_process_group()


def measured(setting: dict[str, int]) -> dict[str, list[float]]:
    """Seconds a step by contestant and round."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [context.Process(target=process, args=(rank, port, setting, told)) for rank in range(2)]
    for one in both:
        one.start()
    found: dict[str, list[float]] = told.get(timeout=1200)
    for one in both:
        one.join()
    return found


def rows(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Steps, ours beside the others, and how much of the speed of two processes without averaging is kept."""
    found = [row(f"{name}: a step", 1000 * statistics.median(each), "ms") for name, each in seconds.items()]
    for name in (DDP, STATIC):
        found.append(row(f"ours over {name}", paired(seconds[OURS], seconds[name]), "x", at_most=1.05))
    return [*found, row("ours: of the speed without averaging", 100 * paired(seconds[ALONE], seconds[OURS]), "%")]


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    setting = QUICK if arguments.quick else FULL
    what = f"ResNet-18, {BATCH} images of {SIDE} pixels a process, two processes (gloo) of one thread, float32."
    report = Report("gradient_mean", what, ("torch", "torchvision"), setting, arguments.quick)
    seconds = measured(setting)
    report.finish(rows(seconds), {"seconds": seconds}, arguments.json)


if __name__ == "__main__":
    main()
