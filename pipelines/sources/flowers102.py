"""Oxford 102 Flowers: photographs of 102 kinds (Nilsback and Zisserman 2008, ICVGIP)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.flowers102 import Options as Flowers102


def read(options: Flowers102) -> Source:
    """torchvision's copy: train and val to learn from, test. InputError where files are missing or damaged."""
    root = options.root or Path(FOLDER)
    learn = [downloaded("Flowers102", options.root, split="train"), downloaded("Flowers102", options.root, split="val")]
    test = downloaded("Flowers102", options.root, split="test")
    return Source(
        classes=tuple(test.classes),
        train=joined(root, [(each._image_files, each._labels) for each in learn]),
        test=joined(root, [(test._image_files, test._labels)]),
    )
