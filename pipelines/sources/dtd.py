"""Describable Textures: 47 kinds, the first of ten partitions (Cimpoi et al. 2014, arXiv:1311.3618)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.dtd import Options as DTD


def read(options: DTD) -> Source:
    """torchvision's copy: train and val to learn from, test. InputError where files are missing or damaged."""
    root = options.root or Path(FOLDER)
    learn = [downloaded("DTD", options.root, split="train"), downloaded("DTD", options.root, split="val")]
    test = downloaded("DTD", options.root, split="test")
    return Source(
        classes=tuple(test.classes),
        train=joined(root, [(each._image_files, each._labels) for each in learn]),
        test=joined(root, [(test._image_files, test._labels)]),
    )
