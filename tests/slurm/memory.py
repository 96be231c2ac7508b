"""Memory that jobs may take: limits by cgroups, where this machine lets them be set.

Only version 1 is set up. Version 2 needs systemd, or a tree of groups that is Slurm's own.
"""

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONFIGURATION = f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={ROOT}\nConstrainRAMSpace=yes\n"


def limited() -> bool:
    """Whether memory has groups of version 1 here that may be made."""
    return (ROOT / "memory" / "memory.limit_in_bytes").exists() and os.access(ROOT / "memory", os.W_OK)


def configure(folder: Path) -> str:
    """Write cgroup.conf; the name of Slurm's plugin that reads it."""
    (folder / "cgroup.conf").write_text(CONFIGURATION)
    return "task/cgroup"
