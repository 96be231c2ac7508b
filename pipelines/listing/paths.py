"""Paths as users write them: ``~``, ``$HOME``, and patterns of numbered files."""

import glob
import os
import re
from itertools import product
from pathlib import Path

from pipelines.errors import InputError

MOST_NUMBERS = 1_000_000
"""Of a range: nobody has so many tars."""


def expanded(path: str) -> Path:
    """The path with ``~`` and ``$NAME`` filled in; InputError for a variable that is not set."""
    full = os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 (a pattern need not be a path)
    unset = re.search(r"\$(\w+|\{\w+\})", full)
    if unset and not os.path.exists(full):  # noqa: PTH110
        raise InputError(f"{path}: the environment has no {unset[0]}; set it, or write the whole path")
    return Path(full)


def looked_in(path: str | Path) -> str:
    """Where a path that is not whole begins, in words, for the message that it leads nowhere."""
    return "" if Path(path).is_absolute() else f" in {Path.cwd()}"


def expand(pattern: str) -> list[Path]:
    """The files of a pattern with ``*`` or ``{000..012}``, sorted. InputError when a numbered one or all are missing.

    Brackets are part of a name, not of the pattern.
    """
    pieces = re.split(r"\{(\d+)\.\.(\d+)\}", str(expanded(pattern)))
    bounds = list(zip(pieces[1::3], pieces[2::3]))
    for low, high in bounds:
        if not 0 <= int(high) - int(low) < MOST_NUMBERS:
            raise InputError(
                f"{pattern}: a range of numbers goes from the lower to the higher, as in {{000..012}}, and over less than "
                f"{MOST_NUMBERS:,}"
            )
    ranges = [[f"{number:0{len(low)}d}" for number in range(int(low), int(high) + 1)] for low, high in bounds]
    paths: list[Path] = []
    for numbers in product(*ranges):
        name = "".join(part + number for part, number in zip(pieces[0::3], [*numbers, ""]))
        matches = glob.glob(name.replace("[", "[[]"))  # noqa: PTH207 (folders may hold a * too)
        found = sorted(path for match in matches if (path := Path(match)).is_file())
        if not found:
            inside = f", such as {Path(name, '*.tar')}" if Path(name).is_dir() else ""
            raise InputError(
                f"{name}: no such tar{looked_in(name)}; dataset.train and dataset.test are path patterns of tars{inside}"
            )
        paths += found
    return paths
