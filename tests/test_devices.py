"""How many processes decode images for one that trains, and where features lie that are to be measured."""

import os

import pytest
import torch
import torch.distributed as dist

from pipelines.building.devices import data_workers, device_with_room


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


@pytest.mark.parametrize(("needed", "kind"), [(99, "cuda"), (100, "cuda"), (101, "cpu")])
def test_what_does_not_fit_on_a_gpu_stays_on_the_cpu(monkeypatch, needed, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (60, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 30)
    assert device_with_room(needed).type == kind


def test_without_a_gpu_nothing_is_asked_of_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_with_room(10**15).type == "cpu"
