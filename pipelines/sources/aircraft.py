"""FGVC-Aircraft: photographs of 100 variants (Maji et al. 2013, arXiv:1306.5151)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.aircraft import Options as Aircraft


def read(options: Aircraft) -> Source:
    """torchvision's copy: trainval to learn from, test. InputError where files are missing or damaged."""
    root = options.root or Path(FOLDER)
    learn = [downloaded("FGVCAircraft", options.root, split="trainval")]
    test = downloaded("FGVCAircraft", options.root, split="test")
    return Source(
        classes=tuple(test.classes),
        train=joined(root, [(each._image_files, each._labels) for each in learn]),
        test=joined(root, [(test._image_files, test._labels)]),
    )
