"""What a file is, by its first bytes, and what is left out of a data set, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEAD = 32
"""Bytes that ``kind_of`` wants to see."""
EXTENSIONS = frozenset(
    {"avif", "bmp", "gif", "heic", "heif", "jfif", "jp2", "jpe", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp"}
)  # fmt: skip
"""File endings, in lower case, that say image; whether it can be read is found out when it is packed."""
ARRAYS = frozenset({"npy"})
"""Endings of files that are images only where a data set says how many channels they have."""
STARTS = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tif"), (b"MM\0*", "tif"), (b"\0\0\0\x0cjP  ", "jp2"),
)  # fmt: skip
BRANDS = {b"avif": "avif", b"avis": "avif", b"heic": "heic", b"heix": "heic", b"hevc": "heic", b"mif1": "heic"}
HOUSEKEEPING = frozenset(
    {"@eadir", "__macosx", "desktop.ini", "thumbs.db", "$recycle.bin", "lost+found", "system volume information"}
)
MOST_EXAMPLES = 3


def kind_of(head: bytes) -> str | None:
    """The file ending of the kind of image that begins with these bytes; None where it is no image."""
    for start, kind in STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12])
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "pgm" if head[1:2] in b"25" else "ppm"
    return None


def is_housekeeping(name: str) -> bool:
    """Whether a file or folder belongs to the system or to a program: hidden, previews, bins, Mac and Windows notes."""
    return name.startswith(".") or name.lower() in HOUSEKEEPING


def in_words(skipped: Mapping[str, Any]) -> str:
    """What ``Skipped.plain`` gives, in a line: ``2 .txt (a/notes.txt, ...)``."""
    return "; ".join(
        f"{found['count']} {kind} ({', '.join(found['examples'])}{', ...' * (found['count'] > len(found['examples']))})"
        for kind, found in skipped.items()
    )


@dataclass
class Skipped:
    """What was left out: how many of each kind, with the first names."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """One more of a kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(named := self.examples.setdefault(kind, [])) < MOST_EXAMPLES:
            named.append(name)

    def plain(self) -> dict[str, Any]:
        """Kind -> count and examples, as JSON values."""
        return {kind: {"count": count, "examples": self.examples[kind]} for kind, count in sorted(self.counts.items())}
