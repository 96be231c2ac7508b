"""Files that appear whole or not at all: write beside, fsync, rename, fsync the folder."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import DamagedFile, EnvironmentFault, InputError, Problem, disk_refuses, unwritten

CHECKSUM = "checksum"
"""Key of a JSON object's checksum of itself."""


@contextlib.contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on a clean exit it is fsynced (if durable) and renamed to ``path``.

    Who may read it is the umask's to say, as for any new file, also where a library puts a file of its own in its place.
    On an exception the temporary file is removed and what stood at ``path`` stays as it was. EnvironmentFault when the
    disk is full or the folder cannot be written.
    """
    part, mode = _beside(path)
    try:
        yield part
        _finish(part, path, mode, durable)
    except Exception as error:
        if disk_refuses(error) and not isinstance(error, Problem):
            raise unwritten(path, error) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _beside(path: Path) -> tuple[Path, int]:
    """A new file beside ``path``, and the mode that the umask gives it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        part.touch(exist_ok=False)
        return part, part.stat().st_mode & 0o777
    except OSError as error:
        raise unwritten(path, error) from error


def _finish(part: Path, path: Path, mode: int, durable: bool) -> None:
    try:
        if durable:
            with part.open("rb") as written:
                os.fsync(written.fileno())
        part.chmod(mode)
        part.replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise unwritten(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the new name: otherwise a power cut may keep a later file and lose this one."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot, and keep order themselves
            raise
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Write ``text`` (UTF-8) to ``path`` in one move; not durable: without waiting for the disk."""
    with replacing(path, durable) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Write ``value`` as indented JSON to ``path`` in one move; NaN and infinities are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n", durable)


def read_json(path: Path, redo: str = "") -> Any:
    """The value in a JSON file; InputError names the file when it is missing, DamagedFile when it is not JSON.

    ``redo``: the way out, for the message.
    """
    way = f"; {redo}" if redo else ""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{way}") from None
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, a number of thousands of digits
        raise DamagedFile(f"{path}: not valid JSON ({error}){way}") from None
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be read ({error.strerror}); mend that and run again") from error


def sealed(value: Any) -> dict[str, Any]:
    """A JSON object with a checksum of the rest, which ``read_sealed`` compares."""
    plain: dict[str, Any] = json.loads(canonical(value))
    return {**plain, CHECKSUM: digest(plain, 64)}


def read_sealed(path: Path, redo: str) -> dict[str, Any]:
    """The JSON object in a file, without its checksum; files of earlier programs have none.

    InputError where it is missing, DamagedFile where it is no object or does not fit its checksum; ``redo``: the way out.
    """
    value = read_json(path, redo)
    if not isinstance(value, dict):
        raise DamagedFile(f"{path}: must hold a JSON object, got {type(value).__name__}; {redo}")
    checksum = value.pop(CHECKSUM, None)
    if checksum is not None and checksum != digest(value, 64):
        raise DamagedFile(f"{path}: {CHECKSUM} does not fit the rest, so something in it was changed; {redo}")
    return value


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any, length: int = 8) -> str:
    """The first ``length`` hex digits of the SHA-256 of a JSON value's canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
