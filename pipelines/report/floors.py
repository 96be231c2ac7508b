"""What a method has to beat: guesses that look at no image, raw pixels, and its own encoder before any training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluation.floors import chance, majority
from pipelines.report.cells import Row
from pipelines.report.study import Result, Results
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.jobs import EvaluateSpec, ShardsSpec, Untrained

CHANCE, MAJORITY = Row("chance", "chance", "guess", None), Row("majority class", "majority class", "guess", None)


@dataclass(frozen=True, eq=False)
class TestSet:
    """The labelled test images of a data set, as far as finished jobs tell. ``label``: their classes, (m,)."""

    images: int | None = None
    classes: int | None = None
    label: NDArray[np.unsignedinteger] | None = None

    @property
    def one_image(self) -> float | None:
        """What one image is worth, in points."""
        return 100 / self.images if self.images else None

    def guesses(self, evaluation: Protocol, number: str) -> dict[Row, float]:
        """Chance, and naming the most frequent class of the test images, in percent, where the number has such a floor.

        The headline of a protocol on labels is a share of test images like top1, whatever its name; in episodes all classes are
        equally frequent, and without a test split more images are asked about than are known here: both have chance alone.
        """
        if isinstance(evaluation, FewShot) and evaluation.ways and number in evaluation.numbers:
            return {CHANCE: 100 / evaluation.ways}
        left_out, found = number == "leave_one_out", {}
        if evaluation.targets == "labels" and number in evaluation.numbers:
            number = "top1"
        if self.classes and number in (expected := chance(self.classes)):
            found[CHANCE] = 100 * expected[number]
        if self.label is not None and not left_out and number in (expected := majority(self.label, self.label)):
            found[MAJORITY] = 100 * expected[number]
        return found


def test_set(
    results: Results, jobs: Sequence[Result[EvaluateSpec]], label: NDArray[np.unsignedinteger] | None
) -> TestSet:
    """Of the data set these evaluations are all on: from the labels of predictions, else from the record of its shards."""
    packed = [each for job in jobs for each in results.line(job) if isinstance(each.spec, ShardsSpec)]
    record = packed[0].record if packed else None
    images = int(record.metrics.get("data/test") or 0) if record else 0
    classes = int(record.derived.get("classes") or 0) if record else 0
    if label is not None:
        images, classes = len(label), classes or int(label.max()) + 1
    return TestSet(images or None, classes or None, label)


def own_floor(rows: Sequence[Row], row: Row) -> Row | None:
    """A method's own encoder before training where there is such a row, else the plain encoder it was given."""
    if row.pretraining is None:
        return None
    spec = row.pretraining.spec
    newborn = spec.method.newborn
    name = newborn.short_name if newborn.own_encoder(spec.encoder) else None

    def distance(source: Untrained) -> tuple[bool, bool, bool]:
        whose = source.method.short_name if source.method else None
        return whose != name, whose is not None, source.image_size != spec.dataset.image_size

    fitting = [
        (distance(each.source), each)
        for each in rows
        if isinstance(each.source, Untrained) and each.source.encoder == spec.encoder
    ]
    fitting = [(far, each) for far, each in fitting if not (far[0] and far[1])]  # not another method's own
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None
