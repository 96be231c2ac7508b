"""The workflow config: what is refused and with which way out, and what the command line's text becomes."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipelines.errors import InputError
from pipelines.spec.schema import texts
from pipelines.spec.workflow import WorkflowConfig, plans, read_config, study_files

SHIPPED = Path(__file__).parents[2] / "workflow" / "config.yaml"
GOOD = {
    "studies": ["a.yaml"],
    "results": "results",
    "python": None,
    "tracking": {"uri": None, "prefix": "x/", "every": 20},
    "gpus_per_job": 1,
    "longest_minutes": None,
    "rerun_changed": False,
}


def test_the_shipped_file_names_every_key_with_its_default():
    given = yaml.safe_load(SHIPPED.read_text())
    assert list(given) == list(WorkflowConfig.model_fields)
    assert read_config(given) == WorkflowConfig(studies=("experiments/quickstart.yaml",))
    schema = next(yaml.safe_load(text) for path, text in texts().items() if path.parent == SHIPPED.parent)
    for tracking in (given["tracking"], "off", False):
        jsonschema.validate({**given, "tracking": tracking}, schema)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stuides": ["b.yaml"]}, "there is no key 'stuides'; did you mean 'studies'?"),
        ({5: 1}, "there is no key '5'; there are: "),
        ({"studies": None}, "studies: must be a list of at least one study file, got None"),
        ({"studies": []}, "studies: must be a list of at least one study file"),
        ({"studies": {"a.yaml": ""}}, "studies: must be a list of at least one study file"),
        ({"studies": [1]}, "studies[0]: input should be a valid string, got 1"),
        ({"results": 5}, "results: input should be a valid string, got 5"),
        ({"results": ""}, "results: string should have at least 1 character, got ''"),
        ({"results": "r{x}"}, "results: must be a folder without { and }, which Snakemake takes for a wildcard"),
        ({"python": ""}, "python: string should have at least 1 character, got ''"),
        ({"python": True}, "python: input should be a valid string, got True"),
        ({"tracking": True}, "tracking: must be off, or a mapping of uri, prefix and every, got True"),
        ({"tracking": None}, "tracking: must be off, or a mapping of uri, prefix and every, got None"),
        ({"tracking": {"evry": 5}}, "tracking.evry: tracking has no such option; did you mean 'every'?"),
        ({"tracking": {"every": 0}}, "tracking.every: input should be greater than 0, got 0"),
        ({"tracking": {"every": "often"}}, "tracking.every: input should be a valid number, got 'often'"),
        ({"tracking": {"uri": "off"}}, "tracking.uri: must be a server (http://HOST:PORT), a database"),
        ({"tracking": {"prefix": "x" * 300}}, "tracking.prefix: string should have at most 200 characters"),
        ({"gpus_per_job": -1}, "gpus_per_job: input should be greater than or equal to 0, got -1"),
        ({"longest_minutes": 5}, "longest_minutes: input should be greater than or equal to 10, got 5"),
        ({"gpus_per_job": True}, "gpus_per_job: input should be a valid integer, got True"),
        ({"gpus_per_job": "two: 2: 2"}, "gpus_per_job: input should be a valid integer, got 'two: 2: 2'"),
        ({"rerun_changed": 1}, "rerun_changed: input should be a valid boolean, got 1"),
    ],
)
def test_one_mistake_gives_one_line(change, message):
    with pytest.raises(InputError) as error:
        read_config({**GOOD, **change})
    assert str(error.value).startswith("workflow config: " + message)
    assert "\n" not in str(error.value)


def test_a_config_without_studies_is_refused():
    with pytest.raises(InputError, match=r"^workflow config: studies: is needed$"):
        read_config({"results": "results"})


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"studies": "b.yaml"}, "studies", ("b.yaml",)),
        ({"tracking": False}, "tracking", None),  # YAML's off
        ({"tracking": "off"}, "tracking", None),  # the command line's
        ({"python": "null"}, "python", None),
        ({"gpus_per_job": "4"}, "gpus_per_job", 4),
        ({"longest_minutes": "1440"}, "longest_minutes", 1440),
        ({"longest_minutes": "null"}, "longest_minutes", None),
        ({"rerun_changed": "true"}, "rerun_changed", True),
    ],
)
def test_what_the_command_line_gives_means_what_it_means_in_the_file(change, field, value):
    assert getattr(read_config({**GOOD, **change}), field) == value


def test_text_inside_the_tracking_of_the_command_line_is_typed_too():
    tracking = read_config({**GOOD, "tracking": {"every": "5", "uri": "null"}}).tracking
    assert (tracking.every, tracking.uri) == (5.0, None)


def test_two_studies_that_would_share_a_folder_are_refused(tmp_path):
    study = SHIPPED.parents[1] / "tests" / "workflow" / "tiny.yaml"
    first, second = tmp_path / "one.yaml", tmp_path / "b" / "One.yaml"
    second.parent.mkdir()
    for path in (first, second):
        path.write_text(study.read_text())
    assert list(plans([str(first)], "results")) == ["one"]
    for pair in ((first, second), (first, first)):
        with pytest.raises(InputError, match=r"would share the folder results/[oO]ne; rename one of them"):
            plans(map(str, pair), "results")


def test_an_address_without_its_scheme_is_shown_without_its_password():
    with pytest.raises(InputError, match="must be a server") as caught:
        read_config({**GOOD, "tracking": {"uri": "me:secret@host/db"}})
    assert "***@host/db" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_which_studies_a_target_is_about(tmp_path):
    (tmp_path / "claims").mkdir()
    claimed = [str(tmp_path / "claims" / name) for name in ("a.yaml", "b.yaml")]
    for file in claimed:
        Path(file).touch()
    config = WorkflowConfig(studies=("one.yaml",), claims=(str(tmp_path / "claims"), "c.yaml"))
    assert study_files(config, ()) == study_files(config, ["reproduce_all"]) == ("one.yaml",)
    assert study_files(config, ["reproduce_claims"]) == (*claimed, "c.yaml")
    assert study_files(config, ["reproduce_all", "reproduce_claims"]) == ("one.yaml", *claimed, "c.yaml")
    tabled = WorkflowConfig(studies=("one.yaml",), tables=("one.yaml", str(tmp_path / "claims")))
    assert study_files(tabled, ["reproduce_all", "paper"]) == ("one.yaml",)
    assert study_files(config, ["reproduce_claims", "tables"]) == (*claimed, "c.yaml")
    whole = WorkflowConfig(studies=("one.yaml",), claims=("c.yaml",), tables=("c.yaml", "d.yaml"), full=True)
    assert study_files(whole, ()) == study_files(whole, ["reproduce_all"]) == ("one.yaml", "c.yaml", "d.yaml")
    assert study_files(whole, ["reproduce_claims"]) == ("c.yaml",)
    assert study_files(whole, ["tables"]) == ("one.yaml", "c.yaml", "d.yaml")
    assert study_files(tabled, ["tables"]) == study_files(tabled, ["paper", "tables"]) == ("one.yaml", *claimed)


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"claims: the folder {tmp_path} holds no study")):
        study_files(WorkflowConfig(studies=("one.yaml",), claims=(str(tmp_path),)), ["reproduce_claims"])
