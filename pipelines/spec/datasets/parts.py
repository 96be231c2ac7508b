"""Data sets in MNIST's four idx files."""

from pathlib import Path
from typing import ClassVar

from pipelines.errors import InputError
from pipelines.listing.paths import expanded
from pipelines.spec.datasets.base import DataSet

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


class IdxFiles(DataSet):
    """60,000 + 10,000 grey images of 28 x 28 pixels in 10 classes."""

    inner: ClassVar[str]
    """torchvision's name, which is the folder of its copy."""
    elsewhere: ClassVar[str] = ""
    """Where else they may come from."""
    folder: str | None = None
    """Folder with the four idx files, or torchvision's root folder; none: torchvision's download to data/."""

    @property
    def published_train_images(self) -> int:
        return 60_000

    @property
    def published_side(self) -> int:
        return 28

    @property
    def root(self) -> Path | None:
        """The folder that holds the idx files, which may be torchvision's layout."""
        if self.folder is None:
            return None
        root = expanded(self.folder)
        inner = root / self.inner / "raw"
        return inner if inner.is_dir() else root

    def check_files(self) -> None:
        if root := self.root:
            for name in FILES:
                self.file(root, name)

    def file(self, folder: Path, name: str) -> Path:
        """One of the four in a folder, plain or gzipped; InputError where there is neither."""
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
        raise InputError(
            f"{folder}: no file {name} or {name}.gz; {self.elsewhere}set dataset.folder to the folder with the four idx "
            "files, or leave it out to download them to data/"
        )
