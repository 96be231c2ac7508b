"""The layout of a results folder agrees with what writes there, and no study can take a name of it."""

import inspect
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec import layout
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.folder import open_job
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, ShardsSpec
from pipelines.spec.load import load_study

TINY = Path(__file__).parents[1] / "workflow" / "tiny.yaml"
RESULTS = Path("results")
GIVEN = {"results": RESULTS, "stage": "pretrain", "key": "k", "worker": 0, "name": "n", "study": "STUDY", "unit": "u"}
RULES = [
    rule
    for _, rule in inspect.getmembers(layout, inspect.isfunction)
    if "results" in inspect.signature(rule).parameters and rule is not layout.written_plans  # which looks for them
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_all_that_stands_in_results_is_a_study_or_reserved(rule):
    path = rule(**{name: GIVEN[name] for name in inspect.signature(rule).parameters})
    first = path.relative_to(RESULTS).parts[0]
    assert first == "STUDY" or layout.is_reserved(first)


def test_jobs_are_where_jobs_say_they_are():
    job = Job("k", ShardsSpec(dataset=Digits()), {})
    assert job.folder(RESULTS) == layout.job_folder(RESULTS, "shards", "k")


@pytest.mark.parametrize("name", [*layout.RESERVED, "Jobs", "mlflow.db-wal"])
def test_a_study_cannot_take_a_name_that_is_something_else(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.write_text(TINY.read_text())
    with pytest.raises(InputError) as error:
        load_study(path)
    assert str(error.value).startswith(f"{path}: a study cannot be called {name}: results/{name} is something else")


@pytest.mark.parametrize("name", ["my study", "-x", "größe", "x" * 61, ".hidden", "a'b", "a;b", "$x"])
def test_a_study_has_a_name_that_can_be_a_folder(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.write_text(TINY.read_text())
    with pytest.raises(InputError, match=r"a study cannot be called .*rename the file"):
        load_study(path)


def test_a_name_in_the_file_is_held_to_the_same(tmp_path):
    path = tmp_path / "x.yaml"
    for name in ("../x", "jobs", "a/b", "[a]", "5"):
        path.write_text(f"name: {name}\n" + TINY.read_text())
        with pytest.raises(InputError, match="a study cannot be called"):
            load_study(path)


def test_a_folder_near_the_root_that_is_no_job_is_told_as_one():
    with pytest.raises(InputError, match=r"^/nosuch/spec\.json.*--results RESULTS"):
        open_job(Path("/nosuch"), EvaluateSpec)
