"""A real PostgreSQL server for tests, from the binaries of Debian.

PostgreSQL refuses to run as root, so root lends it to nobody.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "pass-secret-word"


def binaries() -> Path | None:
    """The folder of the newest server installed."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if places:
        return places[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@dataclass(frozen=True)
class Server:
    """A server on loopback."""

    bin: Path
    folder: Path
    port: int
    user: str | None

    def address(self, database: str = "postgres") -> str:
        """With user and password."""
        return f"postgresql://me:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def run(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's programs; fails when it does."""
        done = subprocess.run(
            [str(self.bin / name), *arguments],
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "PGPASSWORD": PASSWORD, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server lives
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
        assert done.returncode == 0, (name, arguments, (self.folder / "log").read_text())

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options, "-w", "start"
        )

    def stop(self) -> None:
        """At once: connections break."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        """The address of a new database."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "me", name)
        return self.address(name)


@contextmanager
def server() -> Iterator[Server]:
    """A new server, gone afterwards; skips where none is installed."""
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            made = Server(found, folder, free.getsockname()[1], "nobody" if os.getuid() == 0 else None)
        (folder / "password").write_text(PASSWORD)
        (folder / "log").touch()
        if made.user:
            for path in (folder, folder / "password", folder / "log"):
                shutil.chown(path, made.user)
        made.run(
            *("initdb", "-D", str(folder / "data"), "-U", "me", "-A", "scram-sha-256", "--no-sync"),
            *("--pwfile", str(folder / "password"), "-E", "UTF8"),
        )
        made.start()
        try:
            yield made
        finally:
            made.stop()
