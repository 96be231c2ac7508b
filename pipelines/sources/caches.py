"""Caches beside the shards: each with its SHA-256 in a file of its own, compared before the cache is believed.

A cache that does not fit is made anew from the tars, whose own checksums stand in the index.
"""

from pathlib import Path

from pipelines.files import sha256_file, write_text
from pipelines.sources.checked import remember, remembered

ENDING = ".sha256"


def seal(cache: Path) -> None:
    """Note the SHA-256 of a cache that was just written."""
    found = sha256_file(cache)
    write_text(_seal(cache), f"{found}\n", durable=False)
    remember(cache.parent, {cache.name: found})


def is_whole(cache: Path) -> bool:
    """Whether a cache is there as it was sealed; hashed unless that was done before and it has not changed since."""
    try:
        wanted = _wanted(cache)
        if cache.name in remembered(cache.parent, {cache.name: wanted}):
            return True
        if sha256_file(cache) != wanted:
            return False
    except OSError:
        return False
    remember(cache.parent, {cache.name: wanted})
    return True


def is_damaged(cache: Path) -> bool:
    """Whether a cache was sealed and is not as it was left; hashed only where its size or time of change is another."""
    return _seal(cache).exists() and not is_whole(cache)


def is_changed(cache: Path) -> bool:
    """Whether a cache differs from what was sealed, hashed whatever is remembered; one without a seal is not believed."""
    return _seal(cache).exists() and sha256_file(cache) != _wanted(cache)


def _wanted(cache: Path) -> str:
    return _seal(cache).read_text(encoding="utf-8", errors="replace").strip()


def _seal(cache: Path) -> Path:
    return cache.with_name(cache.name + ENDING)
