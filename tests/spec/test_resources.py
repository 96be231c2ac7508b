"""What jobs ask for grows with their work, and never falls below what a job needs to start."""

import pytest

from pipelines.spec.job import Job
from pipelines.spec.resources import forward_gflops, resources

RESNET = {"use": "resnet", "depth": 50, "width": 64, "stem": "large"}


def job(stage: str = "pretrain", epochs: int = 200, size: int | None = 224, **dataset) -> Job:
    data = {"use": "imagefolder", "name": "x", "folder": "y", "image_size": size, **dataset}
    spec = {"training": {"epochs": epochs}, "encoder": RESNET, "dataset": data, "tuning": {"trials": 3}}
    return Job(stage, "key", spec, {})


def test_the_published_network_has_its_published_cost():
    assert forward_gflops(RESNET, 224) == pytest.approx(4.1)
    assert forward_gflops({**RESNET, "width": 128}, 224) == pytest.approx(4 * 4.1)
    assert forward_gflops({"use": "vit", "size": "base", "patch": 16}, 224) == pytest.approx(17.6)


def test_time_grows_with_epochs_and_trials():
    assert resources(job(epochs=400)).minutes == pytest.approx(2 * resources(job(epochs=200)).minutes, abs=1)
    assert resources(job("tune")).minutes == pytest.approx(3 * resources(job()).minutes, abs=1)


def test_small_jobs_take_one_core_and_half_an_hour():
    small = Job(
        "pretrain", "key", {**job().spec, "dataset": {"use": "digits", "image_size": 16}, "training": {"epochs": 1}}, {}
    )
    assert (resources(small).threads, resources(small).minutes) == (1, 30)
    assert resources(job()).threads == 4


def test_only_jobs_that_need_one_ask_for_a_gpu():
    assert [resources(job(stage)).gpu for stage in ("shards", "pretrain", "tune", "embed", "evaluate")] == [
        0,
        1,
        1,
        1,
        0,
    ]
