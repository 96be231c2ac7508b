"""What a data set was packed from: names, sizes and times of its files, no contents. Planning compares it with now."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import DamagedFile, InputError
from pipelines.files import canonical, digest, read_json, write_json
from pipelines.listing.folders import walked
from pipelines.listing.kinds import Skipped
from pipelines.listing.layout import Layout, class_folders

MOST_FILES = 50_000
"""Beyond this many, folders of the same time are believed to hold the same: asking for a million sizes takes minutes."""
CLASSES = "//classes"
"""The entry that stands for names and order of the classes; no folder is called so."""
MOST_TOLD = 5


@dataclass(frozen=True)
class Stock:
    """What one folder holds, or one tar.

    time    when the folder, or the tar, was last changed, ns
    files   images that lie in the folder itself; 1 for a tar; how many classes
    digest  of their names, sizes and times
    """

    time: int
    files: int
    digest: str


@dataclass(frozen=True)
class Inventory:
    """Folder or tar, as a path from where the data set lies -> what it holds; empty for published data sets."""

    stocks: Mapping[str, Stock] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with any name, size or time of a file, and with the classes; empty where nothing is listed."""
        held = {name: [stock.files, stock.digest] for name, stock in self.stocks.items() if stock.files}
        return digest(held, 16) if held else ""

    def write(self, file: Path) -> None:
        """Leave it for ``read``."""
        write_json(file, {name: astuple(stock) for name, stock in sorted(self.stocks.items())})

    @classmethod
    def read(cls, file: Path) -> "Inventory":
        """DamagedFile where it is none."""
        try:
            return cls({name: Stock(*values) for name, values in read_json(file).items()})
        except (AttributeError, TypeError) as error:
            raise DamagedFile(
                f"{file}: no inventory ({error}); delete it, and the data set's files are believed"
            ) from None

    def is_untouched(self, root: Path) -> bool:
        """Whether these are so many files that none is asked for, and every folder has its time still."""
        try:
            return sum(stock.files for stock in self.stocks.values()) > MOST_FILES and all(
                (root / name).stat().st_mtime_ns == stock.time for name, stock in self.stocks.items() if name != CLASSES
            )
        except OSError:
            return False


def of_folders(layout: Layout, packed: Inventory | None = None) -> Inventory:
    """The images of a layout by folder; ``packed`` itself where it is untouched. InputError where one cannot be read."""
    classes = _stock(layout.root, [(name, 0, 0) for name in layout.classes])
    if packed and packed.stocks.get(CLASSES) == classes and packed.is_untouched(layout.root):
        return packed
    stocks = {CLASSES: classes}
    for folder in {layout.root, *layout.parts} if layout.classes else {layout.root}:
        stocks[_name(folder, layout.root)] = _stock(folder, [])
    for part in layout.parts:
        for top in class_folders(layout, part).values() if layout.classes else [part]:
            for folder, images in walked(top, layout.root, Skipped(), layout.endings):
                stocks[_name(folder, layout.root)] = _stock(folder, map(_seen, images))
    return Inventory(stocks)


def of_tars(tars: Iterable[Path]) -> Inventory:
    """Tars, by path."""
    return Inventory({str(tar): _stock(tar, [_seen(tar)]) for tar in tars})


def differences(before: Inventory, now: Inventory) -> list[str]:
    """What was added, taken away or changed, in words; the first few, then how many more."""
    told = []
    for name in sorted(before.stocks.keys() | now.stocks.keys()):
        old, new = (held.stocks.get(name, Stock(0, 0, "")) for held in (before, now))
        if old.files != new.files:
            what = "classes" if name == CLASSES else f"images in {name}"
            told.append(f"{new.files} {what}, {old.files} were packed")
        elif old.files and old.digest != new.digest:
            told.append("other classes" if name == CLASSES else f"{name}: other names, sizes or times")
    return [*told[:MOST_TOLD], *([f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else [])]


def _seen(path: Path) -> tuple[str, int, int]:
    try:
        facts = path.stat()
    except OSError:  # a link that leads nowhere, or a file that goes as we look
        return path.name, -1, -1
    return path.name, facts.st_size, facts.st_mtime_ns


def _stock(folder: Path, seen: Iterable[tuple[Any, ...]]) -> Stock:
    found = list(seen)
    try:
        time = folder.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); mend its permissions") from None
    return Stock(time, len(found), hashlib.sha256(canonical(found).encode()).hexdigest()[:16])


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix()
