"""The mean of a cell with its interval, from what was said of every test image where that was kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.advice import remade
from pipelines.errors import DamagedFile
from pipelines.evaluation.predictions import Predictions, correctness
from pipelines.metric import Metric
from pipelines.records import checked_file
from pipelines.report.study import Result
from pipelines.spec.jobs import EvaluateSpec
from pipelines.statistics.intervals import Estimate, of_images, of_parts, of_seeds
from pipelines.statistics.jackknife import per_class_without, pseudo_values

RESAMPLES = 1000
"""Of the bootstrap, for every interval of the report: an end then wobbles by about a twentieth of the interval's width."""
HEADLINE = Metric("test", "top1")
"""The metric that predictions count."""
PER_CLASS = Metric("test", "mean_per_class")
"""The other one that they decide."""
Correct = Mapping[int, NDArray[Any]]
"""Seed -> (m,), whether each test image was named rightly; of a number that is no share of images, what each adds to it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the evaluations of one data set said: its test labels (m,), by job which of them it got right and what it named."""

    label: NDArray[np.unsignedinteger] | None
    correct: Mapping[str, NDArray[np.bool_]]
    predicted: Mapping[str, NDArray[np.unsignedinteger]]

    def of(self, jobs: Sequence[Result[EvaluateSpec]]) -> Correct:
        """By seed; those that kept none are left out."""
        return {job.spec.seed: self.correct[job.key] for job in jobs if job.key in self.correct}

    def per_class(self, jobs: Sequence[Result[EvaluateSpec]]) -> Correct:
        """By seed, what each test image adds to the mean over classes; those that kept no predictions are left out."""
        label, kept = self.label, self.of(jobs)
        return (
            {}
            if label is None
            else {seed: pseudo_values(*per_class_without(each, label)) for seed, each in kept.items()}
        )

    def named(self, jobs: Sequence[Result[EvaluateSpec]]) -> Mapping[int, NDArray[np.unsignedinteger]]:
        """The named class of every test image (m,), by seed; those that kept none are left out."""
        return {job.spec.seed: self.predicted[job.key] for job in jobs if job.key in self.predicted}


def read_answers(jobs: Sequence[Result[EvaluateSpec]]) -> Answers:
    """All predictions that finished jobs of one data set kept; InputError unless all are of the same images."""
    first: Predictions | None = None
    found, named = {}, {}
    for job in jobs:
        if job.record is None or "predictions" not in job.record.artifacts:
            continue
        file = checked_file(job.record, job.folder, "predictions")
        kept = Predictions.load(file)
        first = first or kept
        found[job.key], named[job.key] = correctness([first, kept])[1], kept.predicted
        said, recorded = float(found[job.key].mean()), job.record.metrics.get(str(HEADLINE))
        if recorded is not None and abs(said - recorded) > 1e-6:
            raise DamagedFile(
                f"{file}: {said:.6f} of its images are right, its record says {recorded:.6f}; "
                f"{remade('evaluate', job.folder)}"
            )
    return Answers(first.label if first else None, found, named)


def estimate(by_seed: Mapping[int, float], correct: Correct | None, images: int | None) -> Estimate | None:
    """Of values in percent, one a seed. ``correct``: of the same seeds, where every one kept its predictions.

    ``images``: how many test images a value is a share of; None where it is no such share.
    """
    if not by_seed:
        return None
    if correct is not None and set(correct) == set(by_seed):
        kept = np.stack([correct[seed] for seed in by_seed])
        found = (of_images if kept.dtype == np.bool_ else of_parts)(kept, resamples=RESAMPLES)
    else:
        found = of_seeds([value / 100 for value in by_seed.values()], images)
    low, high = (None if end is None else 100 * min(max(end, 0.0), 1.0) for end in (found.low, found.high))
    sd = None if found.sd is None else 100 * found.sd
    return replace(found, mean=100 * found.mean, sd=sd, low=low, high=high)
