"""Images and class folders on disk, and what lies about beside them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, HEAD, TEXT_HEAD, Skipped, is_housekeeping, is_text, kind_of

NOWHERE, SPECIAL = "link that leads nowhere", "pipe, socket or device"
"""Kinds of what is left out; a pipe is never opened, since that would wait for somebody who writes into it."""


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted, without housekeeping; InputError where it may not be read."""
    return [entry for entry in _entries(folder) if not is_housekeeping(entry.name)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """All that lies in a folder. Sorted: which of two links to one folder counts must not depend on the file system."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); mend its permissions") from None


def folders(root: Path) -> tuple[str, ...]:
    """Names of the folders in a folder, without housekeeping."""
    return tuple(entry.name for entry in visible(root) if entry.is_dir())


def looks_like_image(path: Path, endings: frozenset[str] = EXTENSIONS) -> bool:
    """Whether the file's ending or its first bytes say image."""
    if path.suffix[1:].lower() in endings:
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return kind_of(file.read(HEAD)) is not None
    except OSError:
        return False


def has_image(folder: Path, endings: frozenset[str] = EXTENSIONS) -> bool:
    """Whether an image lies somewhere below; stops at the first."""
    return any(any(images) for _, images in walked(folder, folder, Skipped(), endings))


def images_below(folder: Path, root: Path, skipped: Skipped, endings: frozenset[str] = EXTENSIONS) -> list[Path]:
    """Every image below, sorted, links followed, each real folder once (so a link to a parent ends)."""
    return sorted(image for _, images in walked(folder, root, skipped, endings) for image in images)


def note_beside(folder: Path, root: Path, skipped: Skipped) -> None:
    """Count the files that lie directly in a folder of folders, and its housekeeping."""
    for entry in _entries(folder):
        if is_housekeeping(entry.name):
            skipped.add("housekeeping", _name(entry, root))
        elif not entry.is_dir():
            skipped.add(_kind(entry), _name(entry, root))


def walked(
    folder: Path, root: Path, skipped: Skipped, endings: frozenset[str] = EXTENSIONS
) -> Iterator[tuple[Path, Iterator[Path]]]:
    """Every real folder from here on, once, each with the images in it, sorted; the rest is counted as they are taken."""
    seen, waiting = set(), [folder]
    while waiting:
        base = waiting.pop()
        if (real := os.path.realpath(base)) in seen:
            continue
        seen.add(real)
        inner, files = list[os.DirEntry[str]](), list[os.DirEntry[str]]()
        for entry in _entries(base):
            if is_housekeeping(entry.name):
                skipped.add("housekeeping", _name(entry, root))
            else:
                (inner if entry.is_dir() else files).append(entry)
        waiting += [base / entry.name for entry in reversed(inner)]
        yield base, _images(files, root, skipped, endings)


def _images(files: list[os.DirEntry[str]], root: Path, skipped: Skipped, endings: frozenset[str]) -> Iterator[Path]:
    for entry in files:
        path = Path(entry.path)
        if _is_special(entry):
            skipped.add(SPECIAL, _name(entry, root))
        elif looks_like_image(path, endings):
            yield path
        else:
            skipped.add(_kind(entry), _name(entry, root), lost=not _is_text(path))


def leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to something that is not there."""
    return entry.is_symlink() and not os.path.exists(entry)  # noqa: PTH110


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Whether it is neither file nor folder; what a folder's listing says of plain files is asked again of none."""
    try:
        return not entry.is_file() and not stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a link that leads nowhere
        return False


def _is_text(path: Path) -> bool:
    """Whether the file is text, or nothing that could be read at all: a pipe, a link that leads nowhere."""
    try:
        if not path.is_file():
            return True
        with path.open("rb") as file:
            return is_text(file.read(TEXT_HEAD))
    except OSError:
        return False


def _kind(entry: os.DirEntry[str]) -> str:
    if leads_nowhere(entry):
        return NOWHERE
    return SPECIAL if _is_special(entry) else Path(entry.name).suffix.lower() or "no file ending"


def _name(entry: os.DirEntry[str], root: Path) -> str:
    return Path(entry.path).relative_to(root).as_posix()
