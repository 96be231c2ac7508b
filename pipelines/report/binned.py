"""Means and variances of scores worked out of their histograms, for trainings that record none beside them."""

from collections.abc import Iterable, Sequence

from pipelines.histograms import BINS, ROWS, Histograms
from pipelines.report.curves import Curve
from pipelines.report.study import Result
from pipelines.spec.jobs import PretrainSpec

ALONE = "positive"
"""The side of losses without negatives, such as BYOL's; their scores are cosines, so that no bin holds more than its own."""


def binned_curves(read: Iterable[tuple[Result[PretrainSpec], Histograms]]) -> list[Curve]:
    """Mean and variance of every training that has positive scores alone: its history has neither."""
    return [curve for job, one in read if set(one.counts) == {ALONE} for curve in _curves(job, one)]


def moments(counts: Sequence[int]) -> tuple[float, float]:
    """Mean and variance of scores, each taken as the middle of its bin; the mean is off by half a bin at most."""
    middles = [(2 * place + 1) / BINS - 1 for place in range(BINS)]
    total = sum(counts)
    mean = sum(count * middle for count, middle in zip(counts, middles, strict=True)) / total
    return mean, sum(count * (middle - mean) ** 2 for count, middle in zip(counts, middles, strict=True)) / total


def _curves(job: Result[PretrainSpec], one: Histograms) -> list[Curve]:
    """A point for the middle of every stretch of training that was read."""
    stretches = [(row, moments(bins)) for row, bins in zip(one.rows, one.counts[ALONE], strict=True) if any(bins)]
    steps = [one.total_steps * (row + 0.5) / ROWS for row, _ in stretches]
    kinds = {"mean": [mean for _, (mean, _) in stretches], "variance": [variance for _, (_, variance) in stretches]}
    return [
        Curve(job.name, job.dataset, job.spec.seed, f"scores/{ALONE}_{kind}", tuple(zip(steps, values)))
        for kind, values in kinds.items()
    ]
