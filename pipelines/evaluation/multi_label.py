"""Images with several labels: a linear classifier a class on frozen features, and the mean of their average precisions.

The VOC07 benchmark as Goyal et al. (2019, arXiv:1905.01235) and their released code have it: linear SVMs with
squared hinge loss, positives weighing twice, on unit features; the cost of every class chosen in three stratified folds
of train by average precision. Images that the data set marks as hard for a class take no part in that class, in
training too, where others take them for not seen.

Average precision is the area under the curve without interpolation, scikit-learn's, which may differ by some tenths of
a point from the devkit's eleven points of 2007.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from pipelines.errors import InputError
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.tagged import TaggedFeatures
from pipelines.spec.evaluation.multi_label import Options as MultiLabel

FOLDS = 3


def check(options: MultiLabel, features: TaggedFeatures) -> None:
    """InputError unless all is finite, and every class is seen and not seen in test, and often enough in train."""
    for split, rows in (("train", features.train), ("test", features.test)):
        if bad := int((~np.isfinite(rows)).any(axis=1).sum()):
            raise InputError(
                f"evaluation.multi_label: {bad} of {len(rows)} rows of {split} hold NaN or infinity; did training diverge?"
            )
    least = {"train": FOLDS if len(options.costs) > 1 else 1, "test": 1}
    for split, target in (("train", features.train_target), ("test", features.test_target)):
        for number, name in enumerate(features.names):
            for seen, words in ((1, "with"), (0, "without")):
                if (count := int((target[:, number] == seen).sum())) < least[split]:
                    raise InputError(
                        f"evaluation.multi_label: {split} has {count} images {words} {name}, and {least[split]} are needed; "
                        "take more of the data set" + (", or give one cost" if least[split] > 1 else "")
                    )


def measure(options: MultiLabel, features: TaggedFeatures, seed: int) -> Measured:
    """map on test, ap/NAME of every class, and the cost that each class chose. InputError: see ``check``.

    answers: score (m, C) float32, how far each test image lies on the side of each class, and target (m, C) as given.
    seed: of the order in which the solver takes the rows.
    """
    check(options, features)
    train, test = normalize(features.train), normalize(features.test)
    found, costs = {}, {}
    said = np.zeros(features.test_target.shape, np.float32)
    for number, name in enumerate(features.names):
        learnt, asked = features.train_target[:, number] >= 0, features.test_target[:, number] >= 0
        rows, target = train[learnt], features.train_target[learnt, number]
        costs[name] = _best_cost(options.costs, rows, target, seed)
        said[:, number] = _fitted(costs[name], rows, target, seed).decision_function(test)
        scores = said[asked, number]
        found[name] = float(average_precision_score(features.test_target[asked, number], scores))
    each = {f"ap/{name}": value for name, value in found.items()}
    chosen: dict[str, float | str] = {f"cost/{name}": cost for name, cost in costs.items()}
    answers: dict[str, NDArray[Any]] = {"score": said, "target": features.test_target}
    return Measured(test={"map": float(np.mean(list(found.values()))), **each}, chosen=chosen, answers=answers)


def _best_cost(costs: Sequence[float], rows: NDArray[np.floating], target: NDArray[np.int8], seed: int) -> float:
    """The cost of highest mean average precision over the folds, the lowest of equals."""
    if len(costs) == 1:
        return costs[0]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = {
            cost: cross_val_score(_svm(cost, seed), rows, target, scoring="average_precision", cv=folds).mean()
            for cost in sorted(costs)
        }
    return max(means, key=lambda cost: means[cost])


def _fitted(cost: float, rows: NDArray[np.floating], target: NDArray[np.int8], seed: int) -> LinearSVC:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 2000 iterations are the protocol's limit
        return _svm(cost, seed).fit(rows, target)


def _svm(cost: float, seed: int) -> LinearSVC:
    return LinearSVC(C=cost, class_weight={1: 2, 0: 1}, dual=True, max_iter=2000, random_state=seed)
