"""How steadily a run trained, read from its whole history at the end: the dips of its accuracy and of its loss."""

from pathlib import Path

from pipelines.history import read
from pipelines.training.dips import count_dips, deepest

ACCURACY, LOSS = "eval/online_knn", "train/loss"
ACCURACY_DEPTH = 0.02
"""Two points: a slice of 144 held-out images moves by one or two images between readings of a steady run."""
LOSS_DEPTH = 0.05
"""As a share of the first epoch's mean loss: an epoch's mean of a steady run moves by less."""


def steadiness(history: Path, steps_per_epoch: int) -> dict[str, float]:
    """final/dips/{online_knn, online_knn_deepest, loss}, of those that were read three times or more.

    The accuracy is that of every reading, so it takes ``online_knn_epochs``; the loss is the mean of an epoch's readings.
    DamagedFile where the history is.
    """
    accuracy: list[float] = []
    losses: dict[int, list[float]] = {}
    for point in read(history):
        if ACCURACY in point.metrics:
            accuracy.append(point.metrics[ACCURACY])
        if LOSS in point.metrics:
            losses.setdefault(point.step // steps_per_epoch, []).append(point.metrics[LOSS])
    found: dict[str, float] = {}
    if len(accuracy) > 2:
        found["final/dips/online_knn"] = count_dips(accuracy, ACCURACY_DEPTH)
        found["final/dips/online_knn_deepest"] = deepest(accuracy)
    if len(losses) > 2:
        means = [-sum(values) / len(values) for values in losses.values()]  # a loss is good where it is low
        found["final/dips/loss"] = count_dips(means, LOSS_DEPTH * abs(means[0]))
    return found
