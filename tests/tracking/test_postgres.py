"""MLflow on a real PostgreSQL server: what is synced twice stands there once, also after the server restarted."""

from pathlib import Path

import pytest
from tracking.job_folders import finish, folder, held, log

from pipelines.errors import EnvironmentFault
from pipelines.tracking.folders import find_jobs
from pipelines.tracking.replay import sync_jobs
from pipelines.tracking.settings import Tracking
from pipelines.tracking.store import connect
from tests.postgres_tools import PASSWORD, server


@pytest.mark.timeout(300)
def test_records_on_a_postgresql_server_stand_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"moco-digits-s{seed}-0123abcd" for seed in range(3)]
    for key in keys:
        log(folder(tmp_path, key), 0, 1, 2)
        finish(tmp_path / "jobs" / "pretrain" / key)
    with server() as running:
        monkeypatch.setenv("PIPELINES_TRACKING_URI", running.database("mlflow"))
        sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path)
        sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path)
        running.stop()
        with pytest.raises(EnvironmentFault, match="Nothing is lost") as caught:
            sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path)
        assert PASSWORD not in str(caught.value)
        running.start()
        log(folder(tmp_path, keys[0]), 3)
        sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path)
        store = connect(Tracking(), tmp_path)
        runs = store.runs()
        assert {key: len(found) for key, found in runs.items()} == dict.fromkeys(keys, 1)
        for key in keys:
            steps = range(4 if key == keys[0] else 3)
            assert held(store.client, runs[key][0], "train/loss") == [(step, 1 / (step + 1)) for step in steps]
