"""The workflow config through Snakemake itself: a mistake stops the planning, and what the file's comments say works."""

import json

import pytest
from snakemake_tools import CONFIG, snakemake
from snakemake_tools import workplace as make_workplace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return make_workplace(tmp_path_factory.mktemp("config"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("stuides=[tiny.yaml]", "workflow config: there is no key 'stuides'; did you mean 'studies'?"),
        ("gpus_per_job=-1", "workflow config: gpus_per_job: input should be greater than or equal to 0, got -1"),
    ],
)
def test_a_mistake_on_the_command_line_plans_nothing(workplace, given, message):
    done = snakemake(workplace, "--dry-run", "--config", given)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_one_study_without_brackets_and_no_tracking(workplace):
    (workplace / "other.yaml").write_text((workplace / "tiny.yaml").read_text())
    done = snakemake(workplace, "--dry-run", "--config", "studies=other.yaml", "tracking=off", plain=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/units/report/other.done" in done.stdout + done.stderr


def test_tracking_off_in_the_file_starts_no_mlflow(workplace):
    config = workplace / "workflow" / "config.yaml"
    config.write_text(json.dumps({**CONFIG, "tracking": "OFF"}).replace('"OFF"', "off"))
    done = snakemake(workplace, "--until", "shards")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(workplace.glob("results/jobs/shards/*/record.json"))) == 1
    assert not [*workplace.glob("results/*mlflow*"), *workplace.glob("results/tracking.log")]
