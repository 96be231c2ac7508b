"""How much of its job folders a run in MLflow holds."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TAIL = 4096
LETTERS = 12
"""Of a record's digest: a tag of MLflow has room for the digests of some six hundred records."""


@dataclass(frozen=True)
class Mark:
    """So many bytes of a history, the digest of their last few, and which records."""

    size: int = 0
    tail: str = ""
    records: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The mark that ``str`` wrote."""
        size, tail, records = text.split(":")
        return cls(int(size), tail, frozenset(filter(None, records.split(","))))

    @classmethod
    def of(cls, history: Path | None, records: Iterable[str]) -> Self:
        """All there is: the whole lines of a history, and records by their digests."""
        size = complete(history) if history else 0
        tail = tail_of(history, size) if history else None
        return cls(size, tail or "", frozenset(digest[:LETTERS] for digest in records))

    def has(self, record: str) -> bool:
        """Whether the record of this digest is among them."""
        return record[:LETTERS] in self.records

    def __str__(self) -> str:
        return f"{self.size}:{self.tail}:{','.join(sorted(self.records))}"

    def holds(self, other: Self, history: Path | None) -> bool:
        """Whether all that ``other`` stands for is still here: no line was cut off and no record replaced."""
        tail = tail_of(history, other.size) if history else ""
        return tail == other.tail and other.records <= self.records


def complete(path: Path) -> int:
    """Bytes of a history up to and with its last newline."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            while end > 0:
                start = max(0, end - _TAIL)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    return start + newline + 1
                end = start
    except FileNotFoundError:
        pass
    return 0


def tail_of(path: Path, size: int) -> str | None:
    """A digest of the last bytes before ``size``; None: the file is shorter. Lines hold times, so other lines show."""
    if size == 0:
        return ""
    start = max(0, size - _TAIL)
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(size - start)
    except FileNotFoundError:
        return None
    return hashlib.sha256(data).hexdigest()[:16] if len(data) == size - start else None
