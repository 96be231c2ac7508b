import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines.errors import EnvironmentFault
from pipelines.tracking import new_file
from pipelines.tracking.new_file import file_of, make_file
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import connect

ROOT = Path(__file__).parents[2]


def address(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def test_what_was_broken_off_has_not_the_files_name_and_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    def killed(uri: str, _: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"half of a database")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(new_file, "SqlAlchemyStore", killed)
        with pytest.raises(KeyboardInterrupt):
            make_file(address(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.new"]
    make_file(address(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert len(MlflowClient(address(tmp_path)).search_experiments()) == 1


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"somebody's")
    make_file(address(tmp_path))
    assert (tmp_path / "mlflow.db").read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    "other", ["http://127.0.0.1:1", "postgresql://me@host/name", "sqlite://", "sqlite:///:memory:"]
)
def test_other_addresses_have_no_file(other: str) -> None:
    assert file_of(other) is None
    make_file(other)


def test_a_file_with_half_of_its_tables_is_told_with_the_way_out(tmp_path: Path) -> None:
    make_file(address(tmp_path))
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("DROP TABLE alembic_version")
        database.execute("DROP TABLE registered_models")
    database.close()
    with pytest.raises(EnvironmentFault, match=r"left .*mlflow\.db with half of its tables: delete it, then run: "):
        connect(TrackingSettings(), tmp_path)
    (tmp_path / "mlflow.db").unlink()
    sync = [sys.executable, "-m", "pipelines", "track", "sync", "--results", str(tmp_path)]
    assert (
        subprocess.run(sync, cwd=ROOT, timeout=100).returncode == 0
    )  # in this process a connection to the old file is open
