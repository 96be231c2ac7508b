"""Folders of class folders."""

from typing import Literal

from pipelines.spec.base import Name, Share
from pipelines.spec.datasets.base import DataSet


class Options(DataSet):
    """A folder of class folders, with train/ and test/ (or val/) inside, or without: then a share becomes test."""

    use: Literal["imagefolder"] = "imagefolder"
    name: Name
    """What the data set is called in keys and tables."""
    folder: str
    classes: str | None = None
    """A text file, one class folder a line (more words on a line are ignored): only these, in this order (ImageNet-100)."""
    test_share: Share = 0.2
    """Share of each class for test when there is no test/ or val/ folder."""
