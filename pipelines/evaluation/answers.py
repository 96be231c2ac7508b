"""What a protocol said of every test image where one class an image does not tell it: numbers by name, beside its record."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.advice import remade
from pipelines.errors import DamagedFile
from pipelines.files import replacing

FILE = "answers.npz"


def save_answers(answers: Mapping[str, NDArray[Any]], ids: Sequence[str], path: Path) -> None:
    """One compressed file in one move: ids (m,) of the test images, and the arrays. Equal answers give equal bytes."""
    kept: dict[str, Any] = {"ids": np.asarray(ids, np.str_), **answers}
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **kept)


def load_answers(path: Path) -> dict[str, NDArray[Any]]:
    """What ``save_answers`` wrote; DamagedFile names the file."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedFile(f"{path}: not readable ({error}); {remade('evaluate', path.parent)}") from None
