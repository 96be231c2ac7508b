"""What a job asks for when Slurm ended it before, and how often the controller looks."""

import asyncio

import pytest
from snakemake_executor_plugin_slurm import Executor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from pipelines.launching import polling, verdicts

UNIT = "moco_v2-digits-s0-92cbd51d"
COMMENT = f"rule_pretrain_wildcards_{UNIT}"


@pytest.fixture
def slurm_says(tmp_path, monkeypatch):
    """What squeue prints from now on, by a stand-in for the program itself."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def says(text: str, status: int = 0, program: str = "squeue") -> None:
        (tmp_path / program).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
        (tmp_path / program).chmod(0o755)

    verdicts.verdict.cache_clear()
    yield says
    verdicts.verdict.cache_clear()


def asked(cause: verdicts.Cause, attempt: int) -> int:
    return verdicts.grown(cause, "pretrain", lambda wildcards: 100)([UNIT], attempt)


@pytest.mark.parametrize(
    ("state", "memory", "minutes"),
    [("OUT_OF_MEMORY", 200, 100), ("TIMEOUT", 100, 200), ("FAILED", 100, 100), ("NODE_FAIL", 100, 100)],
)
def test_more_is_asked_of_what_was_wanting_and_of_nothing_else(slurm_says, state, memory, minutes):
    slurm_says(f"12|{state}|{COMMENT}\n7|OUT_OF_MEMORY|{COMMENT}\n99|TIMEOUT|rule_pretrain_wildcards_another")
    assert [asked("OUT_OF_MEMORY", 1), asked("TIMEOUT", 1)] == [100, 100]
    assert [asked("OUT_OF_MEMORY", 2), asked("TIMEOUT", 2)] == [memory, minutes]


def test_no_attempt_asks_for_more_than_may_be_asked_for(slurm_says):
    slurm_says(f"12|TIMEOUT|{COMMENT}")
    asks = verdicts.grown("TIMEOUT", "pretrain", lambda wildcards: 100, most=150)
    assert [asks([UNIT], 1), asks([UNIT], 2)] == [100, 150]
    assert verdicts.grown("TIMEOUT", "pretrain", lambda wildcards: 900, most=150)([UNIT], 1) == 150


@pytest.mark.parametrize(
    ("line", "memory"),
    [
        (
            "slurmstepd-node1: error: Detected 1 oom-kill event(s) in StepId=12.0. Some of your processes may have been",
            200,
        ),
        (
            "slurmstepd: error: Detected 2 oom_kill events in StepId=12.0. Some of the step tasks have been OOM Killed.",
            200,
        ),
        ("a rule prints: Detected 1 oom-kill event", 100),
        ("RuntimeError: out of memory", 100),
    ],
)
def test_a_step_that_ran_out_of_memory_fails_its_job_and_is_known_by_slurms_line_in_the_log(
    slurm_says, tmp_path, line, memory
):
    log = tmp_path / "logs of jobs" / "12.log"
    log.parent.mkdir()
    log.write_text(f"Error in rule pretrain\n{line}\nsrun: error: node1: task 0: Out Of Memory\n")
    slurm_says(f"12|FAILED|{COMMENT}")
    slurm_says(f"JobId=12 JobName=ssl\n   StdErr={log}\n   StdOut={log}\n   Power=", program="scontrol")
    assert [asked("OUT_OF_MEMORY", 2), asked("TIMEOUT", 2)] == [memory, 100]


@pytest.mark.parametrize("told", ["JobId=12\n   StdOut=/no/such/file", "JobId=12", ""])
def test_a_failed_job_whose_log_is_not_there_asks_for_the_same(slurm_says, told):
    slurm_says(f"12|FAILED|{COMMENT}")
    slurm_says(told, program="scontrol")
    assert asked("OUT_OF_MEMORY", 2) == 100


def test_what_was_learnt_of_earlier_attempts_is_kept_when_slurm_has_forgotten_them(slurm_says):
    slurm_says(f"1|OUT_OF_MEMORY|{COMMENT}")
    assert asked("OUT_OF_MEMORY", 2) == 200
    slurm_says(f"2|TIMEOUT|{COMMENT}")
    assert [asked("OUT_OF_MEMORY", 3), asked("TIMEOUT", 3)] == [200, 200]


@pytest.mark.parametrize(
    ("text", "status"), [("", 0), ("slurm_load_jobs error: Unable to contact", 1), ("a|b|c\nx", 0)]
)
def test_a_slurm_that_does_not_say_leaves_the_request_as_it_was(slurm_says, text, status):
    slurm_says(text, status)
    assert asked("OUT_OF_MEMORY", 2) == asked("TIMEOUT", 2) == 100


def test_the_controller_looks_at_least_every_half_minute(monkeypatch):
    """The plugin's own steps, ten seconds more after each look without a success, up to 180."""
    monkeypatch.setattr(RemoteExecutor, "sleep", RemoteExecutor.sleep)
    polling.look_often()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    executor = Executor.__new__(Executor)
    executor.next_seconds_between_status_checks = 5
    for _ in range(25):
        asyncio.run(executor.sleep())
        executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks + 10, 180)
    assert slept[:3] == [5, 15, 25]
    assert max(slept) == polling.LONGEST < 60
