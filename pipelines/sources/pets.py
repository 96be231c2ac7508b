"""Oxford-IIIT Pet: photographs of 37 breeds of cats and dogs (Parkhi et al. 2012, CVPR)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import joined
from pipelines.spec.datasets.pets import Options as Pets


def read(options: Pets) -> Source:
    """torchvision's copy: trainval to learn from, test. InputError where files are missing or damaged."""
    root = options.root or Path(FOLDER)
    learn = [downloaded("OxfordIIITPet", options.root, split="trainval")]
    test = downloaded("OxfordIIITPet", options.root, split="test")
    return Source(
        classes=tuple(test.classes),
        train=joined(root, [(each._images, each._labels) for each in learn]),
        test=joined(root, [(test._images, test._labels)]),
    )
