"""Images and class folders on disk, and what lies about beside them."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, HEAD, TEXT_HEAD, Skipped, is_housekeeping, is_text, kind_of


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted, without housekeeping; InputError where it may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_housekeeping(entry.name)), key=lambda each: each.name)
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
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if is_housekeeping(entry.name):
                skipped.add("housekeeping", _name(Path(entry.path), root))
            elif not entry.is_dir():
                skipped.add(_kind(Path(entry.path)), _name(Path(entry.path), root))


def walked(
    folder: Path, root: Path, skipped: Skipped, endings: frozenset[str] = EXTENSIONS
) -> Iterator[tuple[Path, Iterator[Path]]]:
    """Every real folder from here on, once, each with the images in it, sorted; the rest is counted as they are taken."""
    seen = set()
    for base, inner, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(base)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        for name in [*inner, *files]:
            if is_housekeeping(name):
                skipped.add("housekeeping", _name(Path(base) / name, root))
        inner[:] = sorted(name for name in inner if not is_housekeeping(name))
        # sorted: which of two links to one folder counts must not depend on the file system
        yield Path(base), _images(Path(base), sorted(files), root, skipped, endings)


def _images(base: Path, files: list[str], root: Path, skipped: Skipped, endings: frozenset[str]) -> Iterator[Path]:
    for name in files:
        path = base / name
        if is_housekeeping(name):
            continue
        if looks_like_image(path, endings):
            yield path
        else:
            skipped.add(_kind(path), _name(path, root), lost=not _is_text(path))


def _is_text(path: Path) -> bool:
    """Whether the file is text, or nothing that could be read at all: a pipe, a link that leads nowhere."""
    try:
        if not path.is_file():
            return True
        with path.open("rb") as file:
            return is_text(file.read(TEXT_HEAD))
    except OSError:
        return False


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror}); mend its permissions") from None


def _kind(path: Path) -> str:
    return path.suffix.lower() or "no file ending"


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
