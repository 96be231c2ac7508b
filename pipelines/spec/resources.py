"""What a job asks of a cluster, from its encoder, its images and its epochs; a profile may override all of it."""

from dataclasses import dataclass

from pipelines.spec.jobs import JobSpec, RunSpec, TuneSpec

IMAGENET = 1_281_167
"""Images of a data set whose size planning does not know: the largest that is usual."""
GPU_GFLOPS = 20_000.0
"""Multiply-adds in billions a second that one data-centre GPU is assumed to reach in training."""
CORE_GFLOPS = 25.0
"""The same for one core of a CPU on a small network (measured: docs/performance.md)."""
SMALL_GFLOPS = 100_000.0
"""A job of less work takes one core: several such jobs side by side are faster than one on several cores."""


@dataclass(frozen=True)
class Resources:
    """threads, memory in MB and minutes."""

    threads: int
    mem_mb: int
    minutes: int


def work(spec: JobSpec) -> float:
    """Multiply-adds in billions of training: 6 forward passes an image and epoch (two views, backward twice as dear).

    0 for stages that do not train.
    """
    if not isinstance(spec, RunSpec):
        return 0.0
    images = (spec.dataset.train_images or spec.dataset.limit or IMAGENET) * spec.training.epochs
    trials = spec.search.trials if isinstance(spec, TuneSpec) else 1
    return 6 * images * trials * spec.encoder.forward_gflops(spec.dataset.side or 224)


def resources(specs: list[JobSpec]) -> Resources:
    """What jobs ask for that one process runs one after the other.

    Training takes its work on a GPU, twice over for safety, at least 30 minutes; everything else a flat hour.
    """
    done = sum(work(spec) for spec in specs)
    if not any(isinstance(spec, RunSpec) for spec in specs):
        return Resources(threads=1, mem_mb=8_000, minutes=60)
    threads = 1 if max(work(spec) for spec in specs) < SMALL_GFLOPS else 4
    return Resources(threads=threads, mem_mb=16_000, minutes=max(30, round(2 * done / GPU_GFLOPS / 60)))
