"""Zalando's Fashion-MNIST."""

from pathlib import Path
from typing import Literal

from pipelines.errors import InputError
from pipelines.listing.paths import expanded
from pipelines.spec.datasets.base import DataSet

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


class Options(DataSet):
    """Zalando's Fashion-MNIST: 60,000 + 10,000 images of 28 x 28 pixels in 10 classes."""

    use: Literal["fashion_mnist"] = "fashion_mnist"
    folder: str | None = None
    """Folder with the four idx files; none: Debian's dataset-fashion-mnist, else torchvision's download to data/."""

    @property
    def published_train_images(self) -> int:
        return 60_000

    @property
    def root(self) -> Path | None:
        """The folder that holds the idx files, which may be torchvision's layout."""
        if self.folder is None:
            return None
        root = expanded(self.folder)
        inner = root / "FashionMNIST" / "raw"
        return inner if inner.is_dir() else root

    @property
    def published_side(self) -> int:
        return 28

    def check_files(self) -> None:
        if root := self.root:
            for name in FILES:
                idx_file(root, name)


def idx_file(folder: Path, name: str) -> Path:
    """A file, plain or gzipped; InputError where there is neither."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(
        f"{folder}: no file {name} or {name}.gz; install Debian's dataset-fashion-mnist, or set dataset.folder to the "
        "folder with the four idx files, or leave it out to download them to data/"
    )
