"""The commands that messages advise: as one can type them, whatever stands in a path."""

import shlex
from pathlib import Path


def typed(*words: object) -> str:
    """``python -m pipelines WORDS``, each one word for a shell. Words in capitals are for the reader to fill in."""
    return shlex.join(["python", "-m", "pipelines", *map(str, words)])


def plan_again(results: Path | str) -> str:
    """The way out of a damaged spec or plan in a results folder."""
    return f"write it anew with: {typed('plan', 'STUDY', '--write', '--results', results)}"


def rebuild(folder: Path) -> str:
    """The way out of damaged shards."""
    return f"rebuild it with: {typed('shards', '--job', folder)}"


def remade(stage: str, folder: Path) -> str:
    """The advice by which a job that finished is done anew, where its files are what its record says."""
    return f"delete {shlex.quote(str(folder))}/record.json and run: {typed(stage, '--job', folder)}"


def repaired(stage: str, folder: Path) -> str:
    """The way out of a damaged file of a finished job, which counts as done until ``repair`` has set it aside."""
    results = folder.parents[2] if len(folder.parts) > 3 else "RESULTS"
    line = typed("repair", "STUDY", "--results", results)
    return (
        f"set it aside with: {line}; then run the same command of snakemake again, or: {typed(stage, '--job', folder)}"
    )
