"""How many processes decode for one that trains, where features are measured, and in which number type a GPU computes."""

import os

import pytest
import torch
import torch.distributed as dist

from pipelines.building.devices import chosen_device, data_workers, device_with_room
from pipelines.training.precision import autocast_dtype


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
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (60, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 30)
    assert device_with_room(needed).type == kind


def test_the_gpu_is_the_one_that_the_process_group_chose(monkeypatch):
    """Of eight GPUs that a node shows, a process of four may have any: its rank does not tell."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(dist, "get_rank", lambda: 5)
    assert chosen_device() == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("native", "emulated", "expected"), [(True, True, torch.bfloat16), (False, True, torch.float32)]
)
def test_auto_takes_bfloat16_where_a_gpu_computes_it_by_itself(monkeypatch, native, emulated, expected):
    def supported(including_emulation: bool = True) -> bool:
        return emulated if including_emulation else native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert autocast_dtype("auto", torch.device("cuda")) == expected
    assert autocast_dtype("bfloat16", torch.device("cuda")) == torch.bfloat16


def test_without_a_gpu_nothing_is_asked_of_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_with_room(10**15).type == "cpu"
