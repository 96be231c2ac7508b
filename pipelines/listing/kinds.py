"""What a file is, by its first bytes, and what is left out of a data set, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import InputError

HEAD = 32
"""Bytes that ``kind_of`` wants to see."""
TEXT_HEAD = 512
"""Bytes that ``is_text`` wants to see."""
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
    {
        "__macosx", "__pycache__", "desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db",
        "$recycle.bin", "recycler", "system volume information", "lost+found", "network trash folder",
        "@eadir", "@__thumb", "@recycle", "@recently-snapshot", "@synoresource", "@tmp",
        "#recycle", "#snapshot", "~snapshot",
    }
)  # fmt: skip
"""In lower case: of Mac, Windows and Linux, of Python, and of storage boxes (Synology, QNAP, NetApp)."""
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


def is_text(head: bytes) -> bool:
    """Whether what begins with these bytes (some hundred are enough) is text, also that of Windows."""
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or not any(byte < 9 or 13 < byte < 27 for byte in head)


def is_housekeeping(name: str) -> bool:
    """Whether a file or folder belongs to the system or to a program: hidden, previews, bins, Mac and Windows notes."""
    return name.startswith(".") or name.lower() in HOUSEKEEPING


def plain(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes that are no UTF-8 as backslash and number."""
    return name.encode("utf-8", "backslashreplace").decode()


def in_words(skipped: Mapping[str, Any]) -> str:
    """What ``Skipped.plain`` gives, in a line: ``2 .txt (a/notes.txt, ...)``."""
    return "; ".join(
        f"{found['count']} {kind} ({', '.join(found['examples'])}{', ...' * (found['count'] > len(found['examples']))})"
        for kind, found in skipped.items()
    )


@dataclass
class Skipped:
    """What was left out: how many of each kind, with the first names. lost: those that are no text, and may be images."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def add(self, kind: str, name: str, lost: bool = False) -> None:
        """One more of a kind."""
        name = plain(name)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(named := self.examples.setdefault(kind, [])) < MOST_EXAMPLES:
            named.append(name)
        if lost:
            self.lost.append(name)

    def check_lost(self, images: int, share: float) -> None:
        """InputError when more of ``images`` and the lost ones together than this share are lost."""
        together = images + len(self.lost)
        if len(self.lost) > (allowed := int(share * together)):
            named = f"{', '.join(self.lost[:MOST_EXAMPLES])}{', ...' * (len(self.lost) > MOST_EXAMPLES)}"
            raise InputError(
                f"{len(self.lost)} of {together} files among the images are neither text nor of a kind of image that is read "
                f"here, dataset.max_unreadable allows {allowed}: {named}; convert them, move them elsewhere, or raise "
                "dataset.max_unreadable, the share of images that may be lost"
            )

    def plain(self) -> dict[str, Any]:
        """Kind -> count and examples, as JSON values."""
        return {kind: {"count": count, "examples": self.examples[kind]} for kind, count in sorted(self.counts.items())}
