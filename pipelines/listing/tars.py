"""Tars that somebody else made, as WebDataset reads them: neighbouring members with one key are a sample."""

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, TEXT_HEAD, Skipped, is_housekeeping, is_text, kind_of

TEXT = ("cls", "txt", "json")
BLOCK = 512
COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
"""First bytes -> what opens it."""
FOREIGN = {b"\x28\xb5\x2f\xfd": "compressed by zstd", b"PK\x03\x04": "a zip", b"7z\xbc\xaf": "a 7z", b"Rar!": "a rar"}
"""First bytes -> what it is, in place of a tar."""
CHUNK = 2**20
Place = tuple[int, int]
"""Offset and size in bytes."""


def is_compressed(path: Path) -> bool:
    """Whether the tar is compressed in one of the ways that are unpacked here."""
    return _head(path).startswith(tuple(COMPRESSED))


def check_kind(path: Path) -> None:
    """InputError for a file that is known to be something else than a tar."""
    for start, what in FOREIGN.items():
        if _head(path).startswith(start):
            raise InputError(
                f"{path}: is {what}, no tar; unpack it, and pack its files as tar, tar.gz, tar.bz2 or tar.xz"
            )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(6)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); mend its permissions") from None


@dataclass
class Bytes:
    """The bytes of a tar, uncompressed: the file itself, or a nameless copy that lives as long as this does."""

    path: Path
    copy: IO[bytes] | None = None

    @classmethod
    def of(cls, path: Path, most: int | None = None) -> "Bytes":
        """A tar as it is, or what is inside its compression; ``most``: only about so many bytes of that."""
        check_kind(path)
        head = _head(path)
        try:
            for start, opener in COMPRESSED.items():
                if head.startswith(start):
                    copy = tempfile.TemporaryFile()  # noqa: SIM115 (kept open)
                    with opener(path, "rb") as inner:
                        while (chunk := inner.read(CHUNK)) and (most is None or copy.tell() < most):
                            copy.write(chunk)
                    copy.flush()
                    return cls(path, copy)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise InputError(f"{path}: cannot be read or unpacked ({error}); fetch it anew") from None
        for start, what in FOREIGN.items():
            if head.startswith(start):
                raise InputError(
                    f"{path}: is {what}, no tar; unpack it, and pack its files as tar, tar.gz, tar.bz2 or tar.xz"
                )
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
class TarEntry:
    """A sample: its tar, its key, where each image member lies, by extension, and its small texts.

    unnamed  members that are images by their first bytes alone: (kind, name, place)
    """

    tar: Bytes
    key: str
    images: dict[str, Place] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    unnamed: list[tuple[str, str, Place]] = field(default_factory=list)

    def settle(self, skipped: Skipped) -> None:
        """Take the one unnamed image where no other is the sample's; else they are left out."""
        if len(self.unnamed) == 1 and not any(extension in EXTENSIONS for extension in self.images):
            kind, _, place = self.unnamed.pop()
            self.images[kind] = place
        for kind, name, _ in self.unnamed:
            skipped.add(f"{kind} without its ending", f"{self.tar.path.name}/{name}")


def entries_of(
    path: Path, skipped: Skipped, most: int | None = None, endings: frozenset[str] = EXTENSIONS
) -> list[TarEntry]:
    """The samples of a tar, in its order; what is no part of one is counted. InputError when it is cut off or no tar.

    most: only what begins in about so many bytes. The last sample may then lack members. endings: of an image's name.
    """
    tar, entries, keys, alone = Bytes.of(path, most), list[TarEntry](), set[str](), dict[str, str]()
    for name, place in _members(tar, skipped, most):
        folder, _, last = name.rpartition("/")
        stem, _, extension = last.partition(".")
        extension = extension.lower()
        key = f"{folder}/{stem}" if folder else stem
        image, kind = extension.rpartition(".")[2] in endings, None
        if not image and extension not in TEXT:
            head = tar.read((place[0], min(place[1], TEXT_HEAD)))
            kind = kind_of(head)
            if kind is None:
                skipped.add(f".{extension}" if extension else "no file ending", f"{path.name}/{name}")
                alone |= {} if is_text(head) else {key: f"{path.name}/{name}"}
                continue
        if not entries or entries[-1].key != key:
            if key in keys:
                raise _scattered(path, key, name)
            keys.add(key)
            entries.append(TarEntry(tar, key))
        _take(entries[-1], name, extension, place, kind)
    for entry in entries:
        entry.settle(skipped)
    skipped.lost += [name for key, name in alone.items() if key not in keys]
    return entries


def _take(entry: TarEntry, name: str, extension: str, place: Place, kind: str | None) -> None:
    """Note a member of a sample; ``kind`` of those whose ending does not say that they are images."""
    if kind:
        entry.unnamed.append((kind, name, place))
    elif extension in entry.images or extension in entry.texts:
        raise _twice(entry.tar.path, entry.key, name)
    elif extension in TEXT:
        entry.texts[extension] = entry.tar.read(place)
    else:
        entry.images[extension] = place


def _twice(path: Path, key: str, name: str) -> InputError:
    return InputError(
        f"{path}: {name}: sample {key} is there already with such a member; a sample has a key of its own in its tar; "
        "rename one, or keep joined tars as files of their own"
    )


def _scattered(path: Path, key: str, name: str) -> InputError:
    return InputError(
        f"{path}: {name}: sample {key} is there already, and members of a sample have to lie side by side; pack them sorted "
        "by name (tar --sort=name), or, where joined tars have keys in common, keep those as files of their own"
    )


def _members(tar: Bytes, skipped: Skipped, most: int | None) -> Iterator[tuple[str, Place]]:
    """Name and place of every file in a tar; a hard link has its target's place."""
    places: dict[PurePosixPath, Place] = {}
    with tar.opened() as file:
        for member in _headers(tar.path, file, most):
            if member.isdir():
                continue
            _check(tar.path, member)
            linked = places.get(PurePosixPath(member.linkname)) if member.islnk() else None
            place = linked or (member.offset_data, member.size)
            name = PurePosixPath(member.name)  # one way to write it: without ./ before
            places[name] = place
            if any(is_housekeeping(part) for part in name.parts):
                skipped.add("housekeeping", f"{tar.path.name}/{member.name}")
            elif member.islnk() and linked is None:
                raise InputError(
                    f"{tar.path}: {member.name} is a link to {member.linkname}, which does not come before it in the tar; "
                    "pack the files themselves (tar --hard-dereference)"
                )
            else:
                yield member.name, place


def _headers(path: Path, file: IO[bytes], most: int | None) -> Iterator[tarfile.TarInfo]:
    """Every member's header, also of a tar behind the end mark of another (joined by cat), as far as ``most`` bytes."""
    start: int | None = 0
    while start is not None:
        try:
            file.seek(start)
            archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 (the file is the caller's)
            for member in archive:
                if most is not None and member.offset_data + member.size > most:
                    return
                yield member
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
