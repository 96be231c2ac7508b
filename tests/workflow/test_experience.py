"""Searches and evaluations leave in their records what later ones ask a cluster by."""

import json

import pytest
from study_tools import Made

from pipelines.machine import GPU_MEMORY, HOST_MEMORY
from pipelines.records import FEATURE_SECONDS, TRAINING_SECONDS
from pipelines.spec.speeds import Speeds

STUDY = """
question: Do records say what later jobs ask by?
dataset: {use: digits, limit: 100}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr, dim: 16}]
seeds: [0, 1]
training: {epochs: 1, batch_size: 32, precision: float32}
tuning: {trials: 2, methods: [simclr], space: {temperature: {low: 0.1, high: 0.5}}}
evaluation: [{use: knn, k: 5}, {use: finetune, epochs: 1, batch_size: 32}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made.of(STUDY, tmp_path_factory.mktemp("experience"))


def test_a_search_tells_the_largest_peak_of_its_workers_and_the_next_asks_by_it(made: Made):
    (search,) = made.plan.of("tune")
    made.run(search)
    record = made.record(search)
    mark = json.loads((search.folder(made.results) / "worker-0.json").read_text())
    assert 100 < record["derived"][HOST_MEMORY] == mark[HOST_MEMORY]
    found = Speeds([search], made.results).earlier([search.spec], int(GPU_MEMORY in record["derived"]))
    assert found.mib == mark[HOST_MEMORY]


@pytest.mark.parametrize(("use", "told"), [("knn", FEATURE_SECONDS), ("finetune", TRAINING_SECONDS)])
def test_an_evaluation_tells_its_peak_and_the_seconds_that_its_own_leave_out(made: Made, use: str, told: str):
    job = made.one("evaluate", "untrained resnet10w8", use=use)
    made.run(job)
    derived = made.record(job)["derived"]
    assert derived[HOST_MEMORY] > 100
    assert derived[told] > 0
    found = Speeds([job], made.results).earlier([job.spec], int(GPU_MEMORY in derived))
    assert found.mib == derived[HOST_MEMORY]
    assert found.minutes
    assert found.minutes * 60 >= derived[told]
