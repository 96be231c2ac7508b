"""MLflow on a real PostgreSQL server: what is synced twice stands there once, also after the server restarted."""

from pathlib import Path

import pytest
from tracking.job_folders import finish, folder, held, level, log, opened, sync

from pipelines.errors import EnvironmentFault
from tests.postgres_tools import PASSWORD, server


@pytest.mark.timeout(300)
def test_records_on_a_postgresql_server_stand_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"moco-digits-s{seed}-0123abcd" for seed in range(3)]
    for key in keys:
        log(folder(tmp_path, key, seed=int(key[13])), 0, 1, 2)
        finish(tmp_path / "jobs" / "pretrain" / key)
    with server() as running:
        monkeypatch.setenv("PIPELINES_TRACKING_URI", running.database("mlflow"))
        sync(tmp_path)
        sync(tmp_path)
        running.stop()
        with pytest.raises(EnvironmentFault, match="Nothing is lost") as caught:
            sync(tmp_path)
        assert PASSWORD not in str(caught.value)
        running.start()
        log(folder(tmp_path, keys[0]), 3)
        sync(tmp_path)
        experiment = opened(tmp_path)
        runs = level(experiment, "seed")
        assert runs.keys() == set(keys)
        assert len(level(experiment, "row")) == 1
        for key in keys:
            steps = range(4 if key == keys[0] else 3)
            assert held(experiment, runs[key], "train/loss") == [(step, 1 / (step + 1)) for step in steps]
            told = f"{runs[key].data.tags} {runs[key].data.params} {runs[key].info}"
            assert PASSWORD not in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
