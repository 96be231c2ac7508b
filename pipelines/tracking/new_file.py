"""MLflow's SQLite file is there with all its tables, or not at all.

MLflow makes the tables in dozens of steps, and SQLite keeps those that a kill leaves behind: no MLflow opens such a file again.
So they are made in a file beside it, which gets the name at the end.
"""

from pathlib import Path

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.engine import make_url

RUNS = "./mlruns"
"""Where MLflow's own clients put the files of its default experiment, which nothing here uses."""


def make_file(address: str) -> None:
    """Make the file of a SQLite ``address`` where it is missing; nothing for other databases and servers."""
    path = file_of(address)
    if path is None or path.exists():
        return
    part = path.with_name(f".{path.name}.new")
    for left in (part, part.with_name(f"{part.name}-journal")):
        left.unlink(missing_ok=True)
    store = SqlAlchemyStore(f"sqlite:///{part}", RUNS)
    store.engine.dispose()
    if not path.exists():  # another results folder may name the same file, and be quicker
        part.replace(path)
    part.unlink(missing_ok=True)


def file_of(address: str) -> Path | None:
    """The file of a SQLite address; None for anything else, memory included."""
    if not address.startswith("sqlite:"):
        return None
    name = make_url(address).database
    return Path(name) if name and name != ":memory:" else None
