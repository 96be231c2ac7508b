"""The disk that features take where a study keeps them: images x numbers in a feature x 4 bytes, for every encoder."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.spec.contents import Contents
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.evaluation.parts import POOLED
from pipelines.spec.jobs import EvaluateSpec, Foreign, Pixels, RunSpec, Untrained
from pipelines.spec.layout import features_file
from pipelines.spec.plan import Plan

NUMBER, LABEL = 4, 8
"""Bytes of a feature's number, and of an image's label beside it."""


@dataclass(frozen=True)
class Kept:
    """The features of one row of the tables on one data set.

    images  labelled ones of train and test; of a data set that nobody has counted those that train is known to have;
            none: unknown
    whole   whether test is among them
    width   numbers in a feature; none: only the built network tells
    files   one a seed
    """

    label: str
    dataset: str
    images: int | None
    whole: bool
    width: int | None
    files: int

    @property
    def bytes(self) -> int | None:
        """Of all files together, without the images' names; none where something is unknown."""
        if self.images is None or self.width is None:
            return None
        return self.files * self.images * (self.width * NUMBER + LABEL)

    @property
    def told(self) -> str:
        """A line for a person: ``simclr on digits: 2 x 1,797 images x 512 numbers = 7.4 MB``."""
        images = "an unknown number of images" if self.images is None else f"{self.images:,} images"
        if self.images is not None and not self.whole:
            images += " of train (those of test are known once they are packed)"
        width = "as many numbers as the built network gives" if self.width is None else f"{self.width:,} numbers"
        size = "" if self.bytes is None else f" = {self.bytes / 1e6:,.1f} MB"
        return f"{self.label} on {self.dataset}: {self.files} x {images} x {width}{size}"


def kept_features(plan: Plan, contents: Mapping[str, Contents], results: Path) -> list[Kept]:
    """What keeping the features of a study would still put on disk, whether it asks for that or not.

    contents: key of the shards -> what they hold, as far as that is known.
    """
    seen, found = set[str](), Counter[Kept]()
    for job in plan.of("evaluate"):
        spec = job.spec
        assert isinstance(spec, EvaluateSpec)
        name = spec.features_key(job.inputs)
        if spec.evaluation.on_images or spec.evaluation.targets != "labels" or name in seen:
            continue
        seen.add(name)
        if features_file(results, name).exists():
            continue
        run = plan.jobs["pretrain", job.inputs["weights"]].spec if "weights" in job.inputs else None
        assert run is None or isinstance(run, RunSpec)
        images, whole = _images(spec.dataset, contents.get(job.inputs["shards"]))
        found[Kept(plan.names[job.place].label, spec.dataset.short_name, images, whole, _width(spec, run), 0)] += 1
    return [Kept(**{**vars(kept), "files": files}) for kept, files in found.items()]


def _images(dataset: DataSet, contents: Contents | None) -> tuple[int | None, bool]:
    if contents is None:
        return dataset.train_images, False
    return sum(contents.counts.train) + sum(contents.counts.test), True


def _width(spec: EvaluateSpec, run: RunSpec | None) -> int | None:
    """Numbers in a feature of what an evaluation measures; run: the pretraining whose encoder it is. None behind layers of
    a head, and of other features than the pooled one."""
    if spec.head_layers or spec.features_read != POOLED:
        return None
    match spec.source:
        case Pixels():
            side = spec.dataset.side
            return None if side is None else spec.dataset.input_channels * side**2
        case Foreign(encoder=encoder):
            return encoder.of().feature_width
        case Untrained(encoder=encoder, method=method):
            width, branches = encoder.feature_width, method.branches if method else 1
        case _:
            assert run is not None, "a trained encoder has a pretraining"
            width, branches = run.encoder.feature_width, run.method.branches
    return None if width is None else branches * width
