"""What every test image adds to a number of a protocol that names no one class an image, from its ``answers.npz``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.advice import remade
from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation.answers import load_answers
from pipelines.metric import Metric
from pipelines.records import checked_file
from pipelines.report.study import Result
from pipelines.spec.jobs import EvaluateSpec
from pipelines.statistics.found_boxes import found_without
from pipelines.statistics.jackknife import (
    mean_without,
    per_class_without,
    precision_without,
    pseudo_values,
    ratio_without,
)

Parts = NDArray[Any]
"""(M,) whose mean is the number: whether each image was right, or its pseudo-value."""
Said = Mapping[str, NDArray[Any]]
OVERLAPS = {"ap": range(10), "ap50": (0,), "ap75": (5,)}
"""Number of detection -> places in 0.5, 0.55, ..., 0.95 that it is the mean of."""


def parts_of(jobs: Sequence[Result[EvaluateSpec]], metric: Metric) -> dict[int, Parts]:
    """By seed, of one cell's finished jobs; those that kept no answers, or whose number is none of images, are left out.

    DamagedFile where answers do not give the number that the record has; InputError where they are of different images.
    """
    found, first = dict[int, Parts](), None
    for job in jobs:
        if job.record is None or "answers" not in job.record.artifacts:
            continue
        file = checked_file(job.record, job.folder, "answers")
        said = load_answers(file)
        first = said["ids"] if first is None else first
        if not np.array_equal(first, said["ids"]):
            raise InputError(
                f"{file}: not of the same test images as those of other seeds; evaluate both from the same shards"
            )
        parts = image_parts(job.spec.evaluation.use, metric.number, said)
        recorded = job.record.metrics.get(str(metric))
        if parts is None or recorded is None or len(parts) < 2:
            continue
        if abs(float(parts.mean()) - recorded) > 1e-5:
            raise DamagedFile(
                f"{file}: gives {metric} {parts.mean():.6f}, its record says {recorded:.6f}; "
                f"{remade('evaluate', job.folder)}"
            )
        found[job.spec.seed] = parts
    return found


def image_parts(use: str, number: str, said: Said) -> Parts | None:
    """Of one protocol's number; None where a number is not made of test images, or they are not kept."""
    match use, number:
        case "multi_label", "map":
            columns = zip(said["score"].T, said["target"].T, strict=True)
            whole, without = zip(*(precision_without(score, target) for score, target in columns), strict=True)
            return pseudo_values(*mean_without(whole, np.stack(without, axis=1)))
        case "segmentation", "miou":
            either = said["named"].astype(np.int64) + said["truth"] - said["right"]
            return pseudo_values(*mean_without(*ratio_without(said["right"], either)))
        case "retrieval", _:
            way, _, k = number.partition("_recall_")
            return _recall(way, int(k), said)
        case "detection", _ if number in OVERLAPS and said["things"].any():
            return _boxes(OVERLAPS[number], said)
        case "few_shot" | "low_shot" | "knn", _ if number in said:
            return _named(said[number], said.get("asked"))
        case "knn", _ if (first := number.replace("_mean_per_class", "")) in said:
            return pseudo_values(*per_class_without(said[first], said["label"]))
    return None


def _named(right: NDArray[Any], asked: NDArray[Any] | None) -> Parts:
    """How often each image was named rightly, of so many times: its share, but where some were asked about more often."""
    if asked is None:
        return right == 1
    if np.ptp(asked) == 0:
        return np.asarray(right / asked)
    whole, without = ratio_without(right, asked)
    return pseudo_values(float(whole), without)


def _boxes(overlaps: Sequence[int], said: Said) -> Parts:
    """Of the mean over classes and these overlaps."""
    order = np.argsort(-said["score"].astype(np.float64), kind="stable")
    image, label, verdict = (said[name][order] for name in ("image", "label", "verdict"))
    whole, without = [], []
    for number, things in enumerate(said["things"].T):
        own = label == number
        each = [found_without(image[own], verdict[own, overlap], things) for overlap in overlaps]
        whole.append(np.mean([one for one, _ in each]))
        without.append(np.mean([left for _, left in each], axis=0))
    return pseudo_values(*mean_without(whole, np.stack(without, axis=1)))


def _recall(way: str, k: int, said: Said) -> Parts:
    """Of images each is right or not; of captions all of an image go with it."""
    right = said[way] < k
    if way == "image_to_text":
        return right
    images = len(said["image_to_text"])
    hits, asked = (np.bincount(said["owner"], weights=each, minlength=images) for each in (right, np.ones(len(right))))
    whole, without = ratio_without(hits, asked)
    return pseudo_values(float(whole), without)
