"""The files a job left: their size and SHA-256, noted when they were finished and compared when they are used."""

import functools
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import DamagedFile
from pipelines.files import sha256_file


class FileFact(BaseModel):
    """A file as it was when its job finished."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def fact_of(path: Path) -> FileFact:
    """What a finished file is."""
    assert path.is_file(), f"artifact {path} has to be a file"
    return FileFact(bytes=path.stat().st_size, sha256=sha256_file(path))


def checked(path: Path, fact: FileFact | None, redo: str) -> Path:
    """``path``, compared with what is known of it, hashed once a process while it stays as it is.

    DamagedFile when it is missing or has changed; ``redo``: the way out.
    """
    if not path.is_file():
        raise DamagedFile(f"{path}: its record names it, but there is no such file; {redo}")
    stat = path.stat()
    if fact and stat.st_size != fact.bytes:
        raise DamagedFile(f"{path}: {stat.st_size} bytes, its record says {fact.bytes}: cut off or changed; {redo}")
    if fact and (found := _sha256(path, stat.st_mtime_ns, stat.st_size)) != fact.sha256:
        raise DamagedFile(f"{path}: SHA-256 is {found}, its record says {fact.sha256}: its bytes changed; {redo}")
    return path


def forget() -> None:
    """Hash every file again, whatever this process has seen of it."""
    _sha256.cache_clear()


@functools.cache
def _sha256(path: Path, mtime_ns: int, size: int) -> str:
    return sha256_file(path)
