"""What of a spec and a record becomes a param, a tag or a metric."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from mlflow.utils.validation import _validate_metric_name
from sqlalchemy.engine import make_url
from tracking.job_folders import SPEC, finish, folder

from pipelines.colours import colour
from pipelines.database import bounded
from pipelines.errors import InputError
from pipelines.tracking.fields import clean, final_metrics, metric_value, milliseconds, params, tags
from pipelines.tracking.folders import Contents
from pipelines.tracking.server import page
from pipelines.tracking.settings import Tracking, results_id, shown


def contents(tmp_path: Path, **spec: Any) -> Contents:
    path = folder(tmp_path)
    finish(path, spec={**SPEC, **spec}, metrics={"test/knn_top1": 0.5, "final/val": 2, "train/loss": math.nan})
    return Contents.read(path)


def test_params_are_dotted_paths_with_lists_of_parts_written_out(tmp_path: Path) -> None:
    found = params(contents(tmp_path, empty="", nothing={}, words="x" * 7000))
    assert found["method.temperature"] == "0.2"
    assert found["method.feature_transform"] == "null"
    assert found["views.augmentations.1.scale"] == "[0.1, 1.0]"
    assert found["derived.lr"] == "0.03"
    assert (found["empty"], found["nothing"], len(found["words"])) == ('""', "{}", 5000)


def test_tags_say_what_to_search_and_group_by(tmp_path: Path) -> None:
    found = tags(contents(tmp_path, dataset={"use": "imagefolder", "name": "birds", "limit": 100}), {})
    expected = {"stage": "pretrain", "dataset": "birds-100", "seed": "0", "method": "moco", "input.shards": "digits-1"}
    assert expected.items() <= found.items()
    assert found["mlflow.runColor"] == colour("moco")
    assert found["flags"] == "not_finite:train/loss"
    assert "evaluation" not in found
    planned = tags(contents(tmp_path), {"label": "moco_v2_ft[temperature=0.1]", "study": "one, two"})
    assert planned["method"] == "moco_v2_ft[temperature=0.1]"
    assert planned["study"] == "one, two"
    assert planned["mlflow.runColor"] == colour("moco_v2_ft")


def test_shards_have_no_method_and_evaluations_name_their_protocol(tmp_path: Path) -> None:
    read = contents(tmp_path)
    shards = dataclasses.replace(read, spec={"dataset": {"use": "digits"}}, stage="shards")
    assert not {"method", "mlflow.runColor", "seed"} & tags(shards, {"label": "digits"}).keys()
    knn = dataclasses.replace(read, spec={"source": "pixels", "evaluation": {"use": "knn"}, "seed": 0})
    assert {"method": "pixels", "evaluation": "knn", "seed": "0"}.items() <= tags(knn, {}).items()


def test_final_metrics_leave_out_what_was_not_finite(tmp_path: Path) -> None:
    record = contents(tmp_path).record
    assert record is not None
    assert final_metrics(record) == {"final/test/knn_top1": 0.5, "final/val": 2.0, "final/seconds": 1.0}
    assert math.isnan(metric_value(math.inf))
    assert milliseconds("1970-01-01T00:00:01.250+00:00") == 1250


@pytest.mark.parametrize("name", ["a@b=c[0]", "/a//b/", "../x", "ünï/..", "a/./b", "x" * 300, "..", "train/loss"])
def test_every_cleaned_name_is_one_mlflow_takes(name: str) -> None:
    _validate_metric_name(clean(name))
    assert clean(clean(name)) == clean(name)


def test_the_default_store_is_in_the_results_and_plain_folders_are_refused(tmp_path: Path) -> None:
    assert Tracking().address(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert Tracking(uri="http://h:1").artifact_root(tmp_path) is None
    for uri in ("mlruns", "file:///tmp/mlruns"):
        with pytest.raises(InputError, match="must be a server"):
            Tracking(uri=uri).address(tmp_path)


def test_an_address_comes_from_the_environment_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "http://TOKEN@h:1")
    assert Tracking().address(tmp_path) == "http://TOKEN@h:1"
    assert Tracking(uri="http://other:1").address(tmp_path) == "http://other:1"
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "me:secret@h/db")
    with pytest.raises(InputError, match="must be a server") as caught:
        Tracking().address(tmp_path)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "")
    assert Tracking().address(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_no_form_of_the_settings_shows_a_password() -> None:
    assert shown("postgresql://me:secret@h/db") == "postgresql://***@h/db"
    assert "secret" not in repr(Tracking(uri="postgresql://me:secret@h/db"))
    with pytest.raises(ValueError, match="experiment") as caught:
        Tracking(uri="postgresql://me:secret@h/db", experiment="")
    assert "secret" not in str(caught.value)
    assert page("http://me:secret@h:5000/mlflow/?token=secret", "1").startswith("http://h:5000/mlflow/#/experiments/1/")


@pytest.mark.parametrize("given", ["", "?connect_timeout=3", "?options=-c%20search_path%3Da"])
def test_a_database_gets_limits_that_it_has_not_itself(given: str) -> None:
    address = bounded(f"postgresql://me:se%40cret@h:1/db{given}", 60)
    url = make_url(address)
    assert (url.username, url.password, url.host, url.port, url.database) == ("me", "se@cret", "h", 1, "db")
    assert url.query["connect_timeout"] == ("3" if "connect_timeout" in given else "10")
    assert url.query["options"] == ("-c search_path=a" if "options" in given else "-c statement_timeout=60s")
    assert bounded("sqlite:////tmp/a.db", 60) == "sqlite:////tmp/a.db"
    assert bounded("http://me:secret@h:1", 60) == "http://me:secret@h:1"


def test_a_results_folder_keeps_its_name(tmp_path: Path) -> None:
    assert results_id(tmp_path / "a") == results_id(tmp_path / "a") != results_id(tmp_path / "b")
