"""torchvision's data sets: its files, checked against its checksums, downloaded where no folder is given."""

from pathlib import Path
from typing import Any

from torchvision import datasets

from pipelines.errors import InputError

FOLDER = "data"
"""Where downloads go, beside the Snakefile."""


def downloaded(name: str, folder: Path | None, **arguments: Any) -> Any:
    """``torchvision.datasets.NAME(folder, **arguments)``; without a folder it is fetched to data/ if it is not there.

    InputError when the files are missing or damaged, or cannot be fetched. Importing torchvision takes seconds, so it
    is done here and not before.
    """

    try:
        return getattr(datasets, name)(folder or FOLDER, download=folder is None, **arguments)
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # whatever a wrong file does to its reader
        if folder is not None:
            advice = (
                "give the folder that holds torchvision's copy, or leave dataset.folder out to download it to data/"
            )
        else:
            advice = "fetch it on a machine with access and set dataset.folder to where it is"
        raise InputError(f"{folder or FOLDER}: {name} is not there or not whole ({error}); {advice}") from None
