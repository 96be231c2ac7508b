"""Processes of a group when one of them fails: it ends at once where leaving would wait for the others."""

import pytest
import torch
import torch.distributed as dist

from pipelines import distributed
from pipelines.errors import BadResult, DamagedFile, EnvironmentFault, InputError, NotANumber
from pipelines.launching import processes
from pipelines.launching.processes import GROUP, leave_others, process_group


class Ended(BaseException):
    """Stands for the end of a process."""


@pytest.fixture
def group(monkeypatch):
    """A pretended group of two processes; what happens to it, in order."""
    log: list[object] = []

    def ends(code: int) -> None:
        log.append(code)
        raise Ended

    for name in GROUP:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(dist, "init_process_group", lambda backend: log.append(backend))
    monkeypatch.setattr(dist, "get_backend", lambda: "nccl")
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: log.append("left"))
    monkeypatch.setattr(processes.os, "_exit", ends)
    return log


def test_a_group_is_left_at_the_end(group):
    with process_group():
        group.append("works")
    assert group == ["gloo", "works", "left"]


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError("out of memory"), 1), (SystemExit(143), 143), (SystemExit("x"), 1)]
)
def test_after_an_error_a_process_of_gpus_ends_at_once_and_says_why(group, capsys, error, code):
    with pytest.raises(Ended), process_group():
        raise error
    assert group == ["gloo", code]
    assert ("out of memory" in capsys.readouterr().err) == isinstance(error, RuntimeError)


@pytest.mark.parametrize("alone", [{"get_backend": "gloo"}, {"get_world_size": 1}])
def test_others_leave_the_group_and_pass_the_error_on(group, monkeypatch, alone):
    for name, value in alone.items():
        monkeypatch.setattr(dist, name, lambda value=value: value)
    with pytest.raises(RuntimeError, match="a reason"), process_group():
        raise RuntimeError("a reason")
    assert group == ["gloo", "left"]


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [(InputError, True), (BadResult, True), (NotANumber, True), (DamagedFile, False), (EnvironmentFault, False)],
)
def test_only_what_all_processes_meet_lets_them_go_on_to_the_next_job(monkeypatch, error, goes_on):
    leave_others(error("x"))
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    if goes_on:
        leave_others(error("x"))
    else:
        with pytest.raises(SystemExit):
            leave_others(error("x"))
