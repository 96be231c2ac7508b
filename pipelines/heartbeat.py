"""Locks for mounts that have none: a file made by one process alone, touched while it lives, removed when it is dead."""

import contextlib
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import NamedTuple, Self

BEAT, STALE = 10.0, 60.0
"""Seconds between two touches, and without one after which the holder counts as dead."""
REMOVING = ".removing"
"""Ends the name of the file of who is about to remove one."""


class Holder(NamedTuple):
    """A process: its machine, its number there, and the space in which that number counts."""

    host: str
    pid: int = 0
    space: int = 0

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The holder that a file names; none where it names none."""
        try:
            return cls.parse(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The same for a file's text."""
        words = text.split()
        return cls(words[0], *(int(word) for word in words[1:3] if word.isdecimal())) if words else None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.pid else self.host

    def ended(self) -> bool:
        """Whether this machine knows that the process is no more."""
        if (self.host, self.space) != (socket.gethostname(), _space()) or not self.pid:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


def here() -> str:
    """What the file of a lock held by this process says."""
    return f"{socket.gethostname()} {os.getpid()} {_space()}"


def _space() -> int:
    """Containers of one host may count their processes from 1 each."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116  a link that names no file
    except OSError:
        return 0


class Watch:
    """Looks at a lock's file again and again: one that never changes is a dead process's, whatever the clocks say."""

    def __init__(self, path: Path, stale: float | None = None) -> None:
        self.path, self._stale = path, stale
        self._seen: tuple[int, str] | None = None
        self._since = 0.0

    def look(self) -> str | None:
        """The file's text; none where there is none."""
        try:
            seen = self.path.stat().st_mtime_ns, self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return seen[1]

    def dead(self, text: str) -> bool:
        """Whether ``text``, which ``look`` gave, is no living process's."""
        known = Holder.parse(text)
        return time.monotonic() - self._since > (self._stale or STALE) or (known is not None and known.ended())


def seems_alive(path: Path) -> bool:
    """Whether a living process holds the file, judged at a single look and so by the clock."""
    try:
        known, age = Holder.read(path), abs(time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return False
    return age < 5 * STALE and not (known and known.ended())


class Beating:
    """A lock held by touching its file."""

    def __init__(self, path: Path, token: str) -> None:
        self._path, self.token, self._over = path, token, threading.Event()
        self._touched, self._lost = time.monotonic(), False
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @classmethod
    def begin(cls, watch: Watch) -> Self | None:
        """Make the file; none where a living process has it. A dead one's is removed first."""
        for _ in range(2):
            try:
                file = os.open(watch.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                text = watch.look()
                if text is not None and not (watch.dead(text) and _remove(watch.path, text)):
                    return None
            else:
                return cls._signed(watch.path, file)
        return None

    @classmethod
    def _signed(cls, path: Path, file: int) -> Self:
        token = f"{here()} {uuid.uuid4().hex}\n"
        try:
            os.write(file, token.encode())
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(file)
        return cls(path, token)

    def release(self) -> None:
        """Stop touching the file, and remove it where it is still this process's."""
        self._over.set()
        self._thread.join()
        for _ in range(20):  # another may be looking; at worst the file goes when it has become old
            if _remove(self._path, self.token):
                return
            time.sleep(0.05)

    def held(self) -> bool:
        """Whether the file is still this process's. It is looked at only when it was not touched in time."""
        if not self._lost and time.monotonic() - self._touched > 2 * BEAT:
            self._touch()
        return not self._lost

    def _beat(self) -> None:
        while not self._lost and not self._over.wait(BEAT):
            self._touch()

    def _touch(self) -> None:
        try:
            if self._path.read_text(encoding="utf-8") != self.token:
                raise FileNotFoundError
            os.utime(self._path)
            self._touched = time.monotonic()
        except FileNotFoundError:
            self._lost = True  # this process was stopped for long, and taken for dead
        except OSError:
            pass  # the file server does not answer just now


def _remove(path: Path, text: str) -> bool:
    """Remove the file if it still says ``text``. Of several who want to, one at a time may look; whether this one did."""
    guard = path.with_name(path.name + REMOVING)
    try:
        os.close(os.open(guard, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            if abs(time.time() - guard.stat().st_mtime) > 5 * STALE:
                guard.unlink()  # its maker died between two lines
        return False
    try:
        with contextlib.suppress(FileNotFoundError):
            if path.read_text(encoding="utf-8", errors="replace") == text:
                path.unlink()
    finally:
        guard.unlink(missing_ok=True)
    return True
