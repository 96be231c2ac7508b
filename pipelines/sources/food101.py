"""Food-101: photographs of 101 dishes; train was not cleaned, test was (Bossard et al. 2014, ECCV)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.food101 import Options as Food101


def read(options: Food101) -> Source:
    """torchvision's copy: train to learn from, test. InputError where files are missing or damaged."""
    root = options.root or Path(FOLDER)
    learn = [downloaded("Food101", options.root, split="train")]
    test = downloaded("Food101", options.root, split="test")
    return Source(
        classes=tuple(test.classes),
        train=joined(root, [(each._image_files, each._labels) for each in learn]),
        test=joined(root, [(test._image_files, test._labels)]),
    )
