"""Tars that somebody else made, as WebDataset reads them: neighbouring members with one key are a sample."""

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, Skipped, is_housekeeping

TEXT = ("cls", "txt", "json")
BLOCK = 512
COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
"""First bytes -> what opens it."""
Place = tuple[int, int]
"""Offset and size in bytes."""


@dataclass
class Bytes:
    """The bytes of a tar, uncompressed: the file itself, or a nameless copy that lives as long as this does."""

    path: Path
    copy: IO[bytes] | None = None

    @classmethod
    def of(cls, path: Path) -> "Bytes":
        """A tar as it is, or what is inside its compression."""
        try:
            with path.open("rb") as file:
                head = file.read(6)
            for start, opener in COMPRESSED.items():
                if head.startswith(start):
                    copy = tempfile.TemporaryFile()  # noqa: SIM115 (kept open)
                    with opener(path, "rb") as inner:
                        shutil.copyfileobj(inner, copy)
                    copy.flush()
                    return cls(path, copy)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise InputError(f"{path}: cannot be read or unpacked ({error}); fetch it anew") from None
        return cls(path)

    def opened(self) -> contextlib.AbstractContextManager[IO[bytes]]:
        """The bytes as a file."""
        return contextlib.nullcontext(self.copy) if self.copy else self.path.open("rb")

    def read(self, place: Place) -> bytes:
        """The bytes of a member; processes may share the file."""
        if self.copy:
            return os.pread(self.copy.fileno(), place[1], place[0])
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), place[1], place[0])


@dataclass
class Entry:
    """A sample: its tar, its key, where each image member lies, by extension, and its small texts."""

    tar: Bytes
    key: str
    images: dict[str, Place] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def entries_of(path: Path, skipped: Skipped, endings: frozenset[str] = EXTENSIONS) -> list[Entry]:
    """The samples of a tar, in its order; what is no part of one is counted. InputError when it is cut off or no tar."""
    tar, entries, keys = Bytes.of(path), list[Entry](), set[str]()
    for name, place in _members(tar, skipped):
        folder, _, last = name.rpartition("/")
        stem, _, extension = last.partition(".")
        extension = extension.lower()
        key = f"{folder}/{stem}" if folder else stem
        image = extension.rpartition(".")[2] in endings
        if not image and extension not in TEXT:
            skipped.add(f".{extension}" if extension else "no file ending", f"{path.name}/{name}")
            continue
        if not entries or entries[-1].key != key:
            if key in keys:
                raise _twice(path, key, name)
            keys.add(key)
            entries.append(Entry(tar, key))
        entry = entries[-1]
        if extension in entry.images or extension in entry.texts:
            raise _twice(path, key, name)
        if image:
            entry.images[extension] = place
        else:
            entry.texts[extension] = tar.read(place)
    return entries


def _twice(path: Path, key: str, name: str) -> InputError:
    return InputError(
        f"{path}: {name}: sample {key} is there already; members of a sample lie side by side, under a key of its own "
        "in its tar; rename one, or keep joined tars as files of their own"
    )


def _members(tar: Bytes, skipped: Skipped) -> Iterator[tuple[str, Place]]:
    """Name and place of every file in a tar; a hard link has its target's place."""
    places: dict[str, Place] = {}
    with tar.opened() as file:
        for member in _headers(tar.path, file):
            if member.isdir():
                continue
            _check(tar.path, member)
            if any(is_housekeeping(part) for part in PurePosixPath(member.name).parts):
                skipped.add("housekeeping", f"{tar.path.name}/{member.name}")
                continue
            place = (member.offset_data, member.size) if member.isfile() else places.get(member.linkname)
            if place is None:
                raise InputError(
                    f"{tar.path}: {member.name} is a link to {member.linkname}, which does not come before it in the tar; "
                    "pack the files themselves (tar --hard-dereference)"
                )
            places[member.name] = place
            yield member.name, place


def _headers(path: Path, file: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """Every member's header, also of a tar behind the end mark of another (joined by cat)."""
    start: int | None = 0
    while start is not None:
        try:
            file.seek(start)
            archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 (the file is the caller's)
            yield from archive
            start = _behind_mark(file, archive.offset)
        except (tarfile.TarError, OSError) as error:
            raise InputError(f"{path}: not a whole tar ({error}); fetch or pack it anew") from None


def _behind_mark(file: IO[bytes], end: int) -> int | None:
    """Where another tar begins after the end mark at ``end``; None where only zeros follow."""
    file.seek(end)
    if file.read(BLOCK) != bytes(BLOCK):
        raise tarfile.ReadError("it is cut off: no end mark")
    while (block := file.read(BLOCK)) and not any(block):
        pass
    return file.tell() - len(block) if block else None


def _check(path: Path, member: tarfile.TarInfo) -> None:
    """InputError for a name that leads out of the tar, and for what is no plain file."""
    if member.name.startswith("/") or ".." in PurePosixPath(member.name).parts:
        raise InputError(f"{path}: {member.name!r} leads out of the tar; pack it with relative names without '..'")
    if not (member.isfile() or member.islnk()) or member.issparse():
        what = "a symbolic link" if member.issym() else "a sparse file" if member.issparse() else "a device or pipe"
        raise InputError(f"{path}: {member.name} is {what}; pack plain files only (tar --dereference)")
