"""What of a spec and a record becomes a param, a tag or a metric."""

import math
from pathlib import Path
from typing import Any

import pytest
from mlflow.utils.validation import _validate_metric_name
from sqlalchemy.engine import make_url
from tracking.job_folders import SPEC, finish, folder

from pipelines.database import bounded
from pipelines.errors import InputError
from pipelines.records import Record, read_record
from pipelines.tracking.fields import (
    chosen,
    clean,
    features,
    final_metrics,
    made_by,
    measured,
    metric_value,
    milliseconds,
    params,
    tags,
)
from pipelines.tracking.server import page
from pipelines.tracking.settings import TrackingSettings, results_id, shown


def record(tmp_path: Path, **changes: Any) -> Record:
    path = folder(tmp_path)
    metrics = {"test/top1": 0.5, "final/val": 2, "train/loss": math.nan, "holdout/top1": 0.6}
    finish(path, **({"metrics": metrics} | changes))
    return read_record(path)


def test_params_are_dotted_paths_with_lists_of_parts_written_out() -> None:
    found = params({**SPEC, "empty": "", "nothing": {}, "words": "x" * 7000}, {"lr": 0.03})
    assert found["method.temperature"] == "0.2"
    assert found["method.feature_transform"] == "null"
    assert found["views.augmentations.1.scale"] == "[0.1, 1.0]"
    assert found["derived.lr"] == "0.03"
    assert (found["empty"], found["nothing"], len(found["words"])) == ('""', "{}", 5000)


def test_tags_leave_out_what_is_empty(tmp_path: Path) -> None:
    assert tags(a=None, b="", c=0, d="x" * 7000) == {"c": "0", "d": "x" * 5000}
    found = made_by(record(tmp_path))
    assert found["flags"] == "not_finite:train/loss"
    assert found["device"]
    assert "code" not in found


def test_numbers_that_were_not_finite_have_no_metric(tmp_path: Path) -> None:
    found = record(tmp_path, derived={"peak_memory/host_mib": 812.5, "lr": 0.03})
    expected = {
        "system/peak_memory/host_mib": 812.5,
        "pretraining/test/top1": 0.5,
        "pretraining/val": 2.0,
        "pretraining/seconds": 1.0,
        "pretraining/holdout/top1": 0.6,
    }
    assert final_metrics(found) == expected
    assert measured("linear", found) == {"linear/top1": 0.5}
    assert math.isnan(metric_value(math.inf))
    assert milliseconds("1970-01-01T00:00:01.250+00:00") == 1250


def test_what_an_evaluation_chose_and_said_of_the_features(tmp_path: Path) -> None:
    given = {"chosen/lr": 3.0, "chosen/by": "folds", "features/rank_me": 7.5, "features/seconds": 1.0, "width": 64}
    found = record(tmp_path, derived=given)
    assert chosen("linear", found) == {"linear/chosen/lr": "3.0", "linear/chosen/by": "folds"}
    assert features("features", found) == {"features/rank_me": 7.5}


def test_how_much_a_number_varies_over_draws_is_left_to_the_record(tmp_path: Path) -> None:
    spreads = {"test/1_shot_sd": 0.1, "test/1_shot_ci95": 0.1}
    found = record(tmp_path, metrics={"test/1_shot": 0.5, "test/iou/lost_sd": 0.2, **spreads})
    assert measured("few_shot", found) == {"few_shot/1_shot": 0.5, "few_shot/iou/lost_sd": 0.2}


@pytest.mark.parametrize("name", ["a@b=c[0]", "/a//b/", "../x", "ünï/..", "a/./b", "x" * 300, "..", "train/loss"])
def test_every_cleaned_name_is_one_mlflow_takes(name: str) -> None:
    _validate_metric_name(clean(name))
    assert clean(clean(name)) == clean(name)


def test_the_default_store_is_in_the_results_and_plain_folders_are_refused(tmp_path: Path) -> None:
    assert TrackingSettings().address(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert TrackingSettings(uri="http://h:1").artifact_root(tmp_path, "a") is None
    assert TrackingSettings(prefix="ana/").artifact_root(tmp_path, "ana/my study") == "mlflow-artifacts:/ana-my-study"
    for uri in ("mlruns", "file:///tmp/mlruns"):
        with pytest.raises(InputError, match="must be a server"):
            TrackingSettings(uri=uri).address(tmp_path)


def test_an_address_comes_from_the_environment_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "http://TOKEN@h:1")
    assert TrackingSettings().address(tmp_path) == "http://TOKEN@h:1"
    assert TrackingSettings(uri="http://other:1").address(tmp_path) == "http://other:1"
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "me:secret@h/db")
    with pytest.raises(InputError, match="must be a server") as caught:
        TrackingSettings().address(tmp_path)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("PIPELINES_TRACKING_URI", "")
    assert TrackingSettings().address(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_no_form_of_the_settings_shows_a_password() -> None:
    assert shown("postgresql://me:secret@h/db") == "postgresql://***@h/db"
    assert "secret" not in repr(TrackingSettings(uri="postgresql://me:secret@h/db"))
    with pytest.raises(ValueError, match="prefix") as caught:
        TrackingSettings(uri="postgresql://me:secret@h/db", prefix="x" * 300)
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
