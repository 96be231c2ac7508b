"""Snakemake on the real Snakefile, in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"
CONFIG = {
    "studies": ["tiny.yaml"],
    "results": "results",
    "python": None,
    "gpus_per_job": 0,
    "tracking": {"uri": None, "prefix": "", "every": 5},
}


def workplace(folder: Path) -> Path:
    """The folder with the tiny study and a workflow config that runs it."""
    (folder / "workflow").mkdir()
    (folder / "tiny.yaml").write_text(TINY.read_text())
    (folder / "workflow" / "config.yaml").write_text(json.dumps(CONFIG))
    return folder


def snakemake(
    folder: Path, *arguments: str, plain: bool = False, target: str = "reproduce_all", **options
) -> subprocess.CompletedProcess:
    """One call with the local profile, working in ``folder``; plain: without the profile, whose logger shows less."""
    how = ["--cores", "1"] if plain else ["--profile", str(ROOT / "local")]
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command = [sys.executable, "-m", "snakemake", *where, *how, target, *arguments]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, **options)
