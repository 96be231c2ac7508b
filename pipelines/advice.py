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
    """The advice by which a job that finished is done anew."""
    return f"delete {shlex.quote(str(folder))}/record.json and run: {typed(stage, '--job', folder)}"
