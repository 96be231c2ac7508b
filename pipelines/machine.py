"""What a job ran on: versions of Python and the watched packages, the checkout's commit, the processor's name."""

import functools
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

_WATCHED = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "webdataset",
    "optuna",
    "mlflow",
)


MEMORY = "peak_memory"
"""First part of the names of what a job held at most."""
HOST_MEMORY = f"{MEMORY}/host_mib"
"""Stands in the record of every training, search and evaluation."""
GPU_MEMORY = f"{MEMORY}/gpu_mib"
"""Stands in those that ran on a GPU, and in no other."""


def versions() -> dict[str, str]:
    """Versions of Python and of the watched packages that are imported by now; imports nothing."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in _WATCHED}
    return {"python": platform.python_version()} | {name: str(value) for name, value in found.items() if value}


@functools.cache
def git_state() -> tuple[str, bool]:
    """(commit, dirty) of this package's checkout, read once a process; ("unknown", False) where there is none."""
    folder = Path(__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # not some other repository round a .venv
        return _git(folder, "rev-parse", "HEAD").strip(), bool(_git(folder, "status", "--porcelain", "--", ".").strip())
    except (OSError, subprocess.SubprocessError):
        return "unknown", False


def _git(folder: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, env=inherited, capture_output=True, text=True, check=True, timeout=20).stdout


def peak_memory() -> float:
    """MiB of the host's memory that this process has held at most, since its start."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


@functools.cache
def cpu_name() -> str:
    """The CPU's model name, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown CPU"
