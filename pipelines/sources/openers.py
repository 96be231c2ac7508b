"""The tars of a split wherever they lie: in a folder, or at an address that webdataset opens; as the index says, or refused.

A tar in a folder, or in the cache, is compared with the index before any of it is used. One that is read from afar
without a cache is compared when it has been read to its end.
"""

import contextlib
import hashlib
import os
import select
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from webdataset import LRUCleanup
from webdataset.gopen import Pipe, gopen, gopen_schemes

from pipelines.errors import EnvironmentFault, InputError, unwritten
from pipelines.files import replacing
from pipelines.listing.paths import expanded
from pipelines.sources.index import Shard
from pipelines.sources.reader import ShardSet
from pipelines.spec.reading import Reading

FOLDER = "tars"
"""Inside of the cache: what stands beside it there is somebody's own, and never cleared away."""
LONG = 2**20
"""Bytes that are read at a time."""
TOLD_EVERY, SILENCE = 60.0, 1800.0
"""Seconds without a byte from a command after which a line says so, and after which it is ended."""


def _open_s3(url: str, mode: str = "rb", bufsize: int = 8192) -> Pipe:
    """An object through Amazon's command line, which knows keys and regions; webdataset has no opener of its own."""
    return Pipe(["aws", "s3", "cp", "--only-show-errors", url, "-"], mode=mode, bufsize=bufsize)


gopen_schemes.setdefault("s3", _open_s3)


class Readable(Protocol):
    """What a tar is read from."""

    def read(self, size: int, /) -> bytes: ...


class Span:
    """A file from ``start`` up to ``stop``, in bytes."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        file.seek(start)
        self.file, self.left = file, stop - start

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data


class Awaited:
    """What a command writes, which may come to wait without a limit for a server that stops sending."""

    def __init__(self, pipe: Pipe, where: str) -> None:
        self._process, self._where = cast(Any, pipe).proc, where
        self._file: int = self._process.stdout.fileno()

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end. TimeoutError after ``SILENCE`` seconds without any, the command ended."""
        poll, silent = select.poll(), 0.0
        poll.register(self._file, select.POLLIN)
        while not poll.poll(1000 * TOLD_EVERY):
            silent += TOLD_EVERY
            if silent >= SILENCE:
                self._process.kill()
                raise TimeoutError(f"nothing came for {silent:g} seconds")
            print(f"waiting for {self._where}: nothing came for {silent:g} seconds", file=sys.stderr, flush=True)
        return os.read(self._file, size)


class Counted:
    """A stream whose bytes are hashed and counted as they pass."""

    def __init__(self, stream: Readable) -> None:
        self.stream, self.sha256, self.bytes = stream, hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        data = self.stream.read(size)
        self.sha256.update(data)
        self.bytes += len(data)
        return data

    def is_whole(self, shard: Shard) -> bool:
        """Whether all that has passed is this tar."""
        return (self.bytes, self.sha256.hexdigest()) == (shard.bytes, shard.sha256)


class Tars:
    """The tars of a set of shards, as one way of reading says."""

    def __init__(self, shards: ShardSet, reading: Reading) -> None:
        self.address, self.is_far = reading.address, bool(reading.scheme)
        self.folder = expanded(self.address) if self.address and not self.is_far else shards.folder
        self.cache = expanded(reading.cache) / FOLDER if reading.cache else None
        self.room = int(reading.cache_gib * 2**30)
        self.shards = ShardSet(self.folder, shards.index, copied_from=shards.folder if self.address else None)

    def verify(self, split: str) -> None:
        """Compare the tars of a folder with the index, unless that was done before; those from elsewhere are when read."""
        if not self.is_far and self.cache is None:
            self.shards.verify(split)

    def where(self, shard: Shard) -> str:
        """The tar's path or address."""
        if not self.is_far:
            return str(self.folder / shard.name)
        pattern = self.address or ""
        return pattern.replace("{name}", shard.name) if "{name}" in pattern else f"{pattern.rstrip('/')}/{shard.name}"

    @contextlib.contextmanager
    def opened(self, shard: Shard, start: int, stop: int) -> Iterator[Readable]:
        """A tar as a stream: from ``start`` to ``stop`` where one can go there, else all of it.

        InputError for a tar that is not the one in the index, EnvironmentFault where it cannot be read.
        """
        if self.is_far and self.cache is None:
            with self._fetched(shard) as whole:
                yield whole
            return
        try:
            with self._local(shard) as file:
                yield Span(file, start, stop)
        except (OSError, tarfile.TarError) as error:
            raise self._unreadable(shard, error) from error

    def _local(self, shard: Shard) -> BinaryIO:
        if self.cache is None:
            return (self.folder / shard.name).open("rb", buffering=LONG)
        while True:  # somebody who needs room may take it away between the two lines
            with contextlib.suppress(FileNotFoundError):
                path = self._cached(shard, self.cache)
                return path.open("rb", buffering=LONG)

    def _cached(self, shard: Shard, cache: Path) -> Path:
        """The tar in the cache, fetched first where it is not there; it is called after its content."""
        path = cache / f"{shard.sha256[:16]}-{shard.name}"
        if path.is_file() and path.stat().st_size == shard.bytes:
            return path
        LRUCleanup(str(cache), max(0, self.room - shard.bytes), interval=None).cleanup()
        with replacing(path, durable=False) as part, self._fetched(shard) as stream, part.open("wb") as copy:
            while data := stream.read(LONG):
                try:
                    copy.write(data)
                except OSError as error:
                    raise unwritten(path, error) from error
        return path

    @contextlib.contextmanager
    def _fetched(self, shard: Shard) -> Iterator[Counted]:
        """The whole tar through webdataset's openers; on leaving, what is left is read and all of it compared."""
        where = self.where(shard)
        stream: Any = None
        broken: Exception | None = None
        try:
            stream = cast(Any, gopen)(where, bufsize=LONG)
            counted = Counted(Awaited(stream, where) if isinstance(stream, Pipe) else stream)
            try:
                yield counted
            except tarfile.TarError as error:  # the comparison below tells more
                broken = error
            while counted.read(LONG):
                pass
        except OSError as error:
            silent = isinstance(error, TimeoutError)  # then the command was ended here, and its status says nothing
            raise self._unreadable(shard, error, None if silent else stream) from error
        finally:
            if stream is not None:
                with contextlib.suppress(OSError):  # a command that is left before its end complains
                    stream.close()
        if not counted.is_whole(shard):
            raise self._differs(shard, counted, stream)
        if broken is not None:
            raise broken

    def _differs(self, shard: Shard, found: Counted, stream: object) -> Exception:
        if _failed(stream):
            return self._unreadable(shard, OSError("not all of it came"), stream)
        digest = found.sha256.hexdigest()
        return self.wrong(
            shard, f"{found.bytes} bytes with SHA-256 {digest}, the index says {shard.bytes} bytes with {shard.sha256}"
        )

    def wrong(self, shard: Shard, what: str) -> InputError:
        """What is said of a tar that is not the one that was packed."""
        mend = self.shards.advice
        if self.is_far and self.cache is None:
            mend += ". Some of its images may have been trained on: then delete the job's checkpoint.pt too"
        return InputError(f"{self.where(shard)}: {what}: not the tar that was packed; {mend}")

    def _unreadable(self, shard: Shard, error: Exception, stream: object = None) -> EnvironmentFault:
        reason = _failed(stream) or getattr(error, "strerror", None) or (error.args or [type(error).__name__])[0]
        return EnvironmentFault(
            f"{self.where(shard)}: cannot be read ({reason}); see that it is there and can be reached, and run the same "
            "command again: it goes on from the last checkpoint"
        )


def _failed(stream: object) -> str:
    """How the command behind a stream failed; empty where there is none, or it did not."""
    if not isinstance(stream, Pipe):
        return ""
    process = cast(Any, stream).proc
    process.stdout.close()
    status = process.wait()
    name = process.args if isinstance(process.args, str) else process.args[0]
    return f"{name} ended with status {status}" if status else ""
