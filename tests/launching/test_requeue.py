"""A job in its grace time, or close to its time limit, puts itself back into the queue, and no other job does."""

from datetime import datetime, timedelta

import pytest

from pipelines.launching.requeue import requeued

RUNNING = (
    "JobId=7 JobState=RUNNING Reason=None PreemptEligibleTime=2026-01-01T00:00:00 PreemptTime={time} SuspendTime=None"
)


@pytest.fixture
def slurm_says(tmp_path, monkeypatch):
    """What scontrol prints from now on, by a stand-in for the program; returns what it was asked."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    def says(text: str, status: int = 0):
        script = f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\n[ $1 = show ] && echo '{text}'\nexit {status}\n"
        (tmp_path / "scontrol").write_text(script)
        (tmp_path / "scontrol").chmod(0o755)
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return says


def test_a_job_in_its_grace_time_is_requeued(slurm_says):
    asked = slurm_says(RUNNING.format(time="2026-01-01T01:00:00"))
    assert requeued() == "preempted"
    assert asked() == ["show job 7", "requeue 7"]


@pytest.mark.parametrize(("minutes", "why"), [(2, "at its time limit"), (-1, "at its time limit"), (30, None)])
def test_a_job_that_is_signalled_ahead_of_its_time_limit_is_requeued(slurm_says, minutes, why):
    end = datetime.now() + timedelta(minutes=minutes)
    asked = slurm_says(
        f"JobId=7 JobState=RUNNING TimeLimit=1-00:00:00 PreemptTime=None EndTime={end:%Y-%m-%dT%H:%M:%S}"
    )
    assert requeued() == why
    assert asked() == ["show job 7", *(["requeue 7"] if why else [])]


@pytest.mark.parametrize(
    "told",
    [
        RUNNING.format(time="None"),
        RUNNING.format(time="2026-01-01T01:00:00").replace("RUNNING", "COMPLETING"),
        "JobId=7 JobState=RUNNING",
        "JobId=7 JobState=RUNNING PreemptTime=None EndTime=Unknown",
        "JobId=7 JobState=TIMEOUT PreemptTime=None EndTime=2026-01-01T00:00:00",
    ],
    ids=["not preempted", "taken away already", "a Slurm that does not say", "no limit", "ended at its limit"],
)
def test_another_job_is_not(slurm_says, told):
    asked = slurm_says(told)
    assert not requeued()
    assert asked() == ["show job 7"]


def test_a_slurm_that_fails_and_no_slurm_are_no_error(slurm_says, tmp_path, monkeypatch):
    slurm_says(RUNNING.format(time="2026-01-01T01:00:00"), status=1)
    assert not requeued()
    (tmp_path / "scontrol").unlink()
    assert not requeued()
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not requeued()
