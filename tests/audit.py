"""Does a lock file hold a package with a known vulnerability? ``make check`` asks the databases of OSV and of PyPI.

pip-audit reads a lock and asks; uv fetches it for this call. Without a network, or where no database answers, one line
says that nobody looked, and that is no failure. A finding is one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.masking import masked

PROGRAM = "pip-audit==2.10.1"
LOCKS = tuple(Path(__file__).parents[1] / name for name in ("requirements.lock", "requirements-peers.lock"))
DATABASES = (("osv", "-s", "osv"), ("pypi", "-s", "pypi"))
"""Name of a database, and how pip-audit is told to ask it."""
LIMIT = 240
"""Seconds for one database."""
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--timeout", "10")


@dataclass(frozen=True)
class Audit:
    """What one database knows: of how many packages, of which it knows nothing, and what is wrong with which."""

    known: int
    unknown: tuple[str, ...]
    findings: tuple[str, ...]


def parse(text: str) -> Audit | None:
    """pip-audit's JSON; None where it is none, or where not a single package was looked up."""
    try:
        packages = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    looked = [package for package in packages if "version" in package]  # of the others it says that it skipped them
    findings = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for package in looked
        for found in package["vulns"]
    ]
    unknown = tuple(package["name"] for package in packages if package not in looked)
    return Audit(len(looked), unknown, tuple(findings)) if looked else None


def ask(lock: Path, arguments: Sequence[str]) -> tuple[Audit | None, str]:
    """What a database knows, and else why it was not asked."""
    command = ["uv", "tool", "run", "--quiet", "--from", PROGRAM, "pip-audit", *OPTIONS, "-r", str(lock), *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, masked(" ".join(str(error).split()))[:100]
    told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    why = told[-1] if told and done.returncode else "knows none of the packages"
    return parse(done.stdout), masked(why)[:100]


def audit(lock: Path, databases: Sequence[Sequence[str]] = DATABASES) -> int:
    """Ask one database after the other until one answers; 1 where it knows of a vulnerability."""
    reasons = []
    for name, *arguments in databases:
        found, why = ask(lock, arguments)
        if found is None:
            reasons.append(f"{name}: {why}")
            continue
        for line in found.findings:
            print(f"{lock.name}: {line}; run: make lock")
        rest = f"; unknown there: {', '.join(found.unknown)}" if found.unknown else ""
        print(f"audit: {found.known} packages looked up at {name}, {len(found.findings)} vulnerabilities known{rest}")
        return int(bool(found.findings))
    print(f"audit: nobody looked for known vulnerabilities in {lock.name} ({'; '.join(reasons)})")
    return 0


if __name__ == "__main__":
    sys.exit(max(audit(lock) for lock in LOCKS))
