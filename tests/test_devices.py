"""How many processes decode images for one that trains."""

import os

import pytest
import torch.distributed as dist

from pipelines.building.devices import data_workers


@pytest.mark.parametrize(
    ("cores", "ranks", "asked", "expected"),
    [
        (1, 1, None, 1),
        (8, 1, None, 7),
        (16, 4, None, 3),
        (128, 1, None, 16),
        (2, 4, None, 1),
        (8, 1, 3, 3),
        (8, 1, 0, 0),
    ],
)
def test_workers_follow_the_cores_that_a_process_has(monkeypatch, cores, ranks, asked, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    assert data_workers(asked) == expected
