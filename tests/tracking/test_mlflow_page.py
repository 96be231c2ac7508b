"""What docs/mlflow.md tells readers to type does what the page says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from tracking.job_folders import STUDY, evaluated, finish, folder, judged_by, sync
from tracking.test_track_stage import ROOT, free_port, server

from pipelines.tracking.signature import EXAMPLE

SHOTS = {"use": "few_shot", "shots": [1, 4], "draws": 2}
SERVER, FILE = "http://127.0.0.1:5000", "sqlite:///results/mlflow.db"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A study with two methods and a ceiling above them; readers stand in the folder of ``results``."""
    found = tmp_path / "results"
    finish(_shards(found), metrics={}, derived={"image_size": 8})
    for label, reached in (("moco", 0.6), ("simclr", 0.7), ("supervised", 0.9)):
        path = folder(found, f"{label}-0", label=label, method={"use": label})
        (path / "encoder.safetensors").write_bytes(b"weights")
        finish(path, artifacts={"encoder": "encoder.safetensors"})
        metrics = {"test/1_shot": reached, "test/4_shot": 0.5}
        finish(evaluated(found, path.name, label, evaluation=SHOTS), metrics=metrics)
    judged_by(found, SHOTS, "1_shot")
    assert sync(found).problems == []
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    yield found
    mlflow.set_tracking_uri(before)


def _shards(results: Path) -> Path:
    path = folder(results, "moco-0", method={"use": "moco"}).parents[1] / "shards" / "digits-1"
    path.mkdir(parents=True)
    (path / "spec.json").write_text('{"key": "digits-1", "stage": "shards", "spec": {}, "inputs": {}}')
    return path


def typed(number: int, **changes: str) -> dict[str, Any]:
    """What stands in the names after the page's ``number``-th lines of Python."""
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "mlflow.md").read_text(), re.DOTALL)[number]
    names: dict[str, Any] = {"mlflow": mlflow}
    for old, new in {"quickstart": STUDY, **changes}.items():
        code = code.replace(old, new)
    exec(code, names)
    return names


def test_the_best_model_saw_no_labels(results: Path) -> None:
    found = typed(0)
    assert found["best"].tags["method"] == "simclr"
    assert Path(found["weights"]).read_bytes() == b"weights"


def test_files_come_from_the_server_and_not_from_the_database(results: Path) -> None:
    port = free_port()
    with server(results, port):
        found = typed(1, **{SERVER: f"http://127.0.0.1:{port}"})
    assert "simclr-0" in (Path(found["folder"]) / "MLmodel").read_text()
    assert (Path(found["folder"]) / EXAMPLE).exists()
    with pytest.raises(MlflowException, match="must be a valid http or https URI"):
        typed(1, **{SERVER: FILE})
