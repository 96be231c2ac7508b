"""EuroSAT: 27,000 satellite images of 64 x 64 pixels, 10 kinds of land (Helber et al. 2019, arXiv:1709.00029)."""

from pathlib import Path

from pipelines.sources.base import Source
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import file_split, with_test_share
from pipelines.spec.datasets.eurosat import Options as EuroSAT


def read(options: EuroSAT) -> Source:
    """torchvision's copy of the colour version, split by a fixed draw."""
    root, found = options.root or Path(FOLDER), downloaded("EuroSAT", options.root)
    paths, labels = [path for path, _ in found.samples], [label for _, label in found.samples]
    return with_test_share(tuple(found.classes), file_split(root, paths, labels), options.test_share)
