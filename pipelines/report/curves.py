"""Training histories, thinned so that the page stays small: means over equal runs of readings, no other smoothing."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.history import FILE, read
from pipelines.records import vouched_file
from pipelines.report.study import Results
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.row_name import RowName

TRAINING = {"train/loss": "loss", "eval/online_knn": "online kNN, top-1 (share)"}
COLLAPSE = {
    "collapse/spread": "spread of features",
    "collapse/effective_rank": "effective rank",
    "collapse/median_cosine": "median cosine between images",
}
SCORES = {
    "scores/negative_mean": "mean of negative scores",
    "scores/negative_variance": "variance of negative scores",
    "scores/positive_mean": "mean of positive scores",
    "scores/positive_variance": "variance of positive scores",
    "scores/untransformed_negative_mean": "mean of negative scores before transformation",
    "scores/untransformed_negative_variance": "variance of negative scores before transformation",
    "scores/untransformed_positive_mean": "mean of positive scores before transformation",
    "scores/untransformed_positive_variance": "variance of positive scores before transformation",
    "train/gradient_norm": "gradient norm",
    "train/first_layer_gradient_norm": "gradient norm of the encoder's first layer",
}
"""Metric of a history -> in words, for each group that is drawn."""
POINTS = 100
"""At most this many points a curve in the report."""


@dataclass(frozen=True)
class Curve:
    """One metric of one pretraining run: (step, value) in order."""

    name: RowName
    dataset: str
    seed: int
    metric: str
    points: tuple[tuple[float, float], ...]

    @property
    def label(self) -> str:
        """The line of the tables that the run belongs to."""
        return self.name.label


def by_metric(path: Path) -> dict[str, dict[int, float]]:
    """Metric -> step -> value from a history.jsonl; the last reading of a step counts, NaN is left out."""
    found: dict[str, dict[int, float]] = {}
    for point in read(path):
        for name, value in point.metrics.items():
            if math.isfinite(value):
                found.setdefault(name, {})[point.step] = value
    return found


def thin(points: list[tuple[int, float]], most: int) -> tuple[tuple[float, float], ...]:
    """At most ``most`` points: readings cut into that many runs of near equal length, each its mean step and value."""
    if len(points) <= most:
        return tuple(points)
    cuts = [round(index * len(points) / most) for index in range(most + 1)]
    runs = [points[low:high] for low, high in itertools.pairwise(cuts)]
    return tuple((sum(step for step, _ in run) / len(run), sum(value for _, value in run) / len(run)) for run in runs)


def curves(results: Results, metrics: Iterable[str]) -> list[Curve]:
    """The curves of every finished pretraining, thinned; runs without a history have none."""
    wanted = tuple(metrics)
    found = []
    for job in results.of(PretrainSpec):
        path = vouched_file(job.record, job.folder, "history", FILE) if job.record else None
        if path is None:
            continue
        history = by_metric(path)
        for metric in wanted:
            if metric in history:
                points = thin(sorted(history[metric].items()), POINTS)
                found.append(Curve(job.name, job.dataset, job.spec.seed, metric, points))
    return found
