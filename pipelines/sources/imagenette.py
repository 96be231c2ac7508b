"""Imagenette: ten classes of ImageNet that are easy to tell apart (Howard 2019, github.com/fastai/imagenette)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.imagenette import Options as Imagenette


def read(options: Imagenette) -> Source:
    """torchvision's copy; val is test. InputError where files are missing."""
    root = options.root or Path(FOLDER)
    train, test = (downloaded("Imagenette", options.root, split=split, size=options.size) for split in ("train", "val"))
    parts = [([path for path, _ in each._samples], [label for _, label in each._samples]) for each in (train, test)]
    return Source(tuple(names[0] for names in train.classes), joined(root, parts[:1]), joined(root, parts[1:]))
