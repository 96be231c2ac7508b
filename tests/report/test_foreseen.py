"""How far off the price was that is named before anything runs."""

from pathlib import Path

import pytest
from report_tools import FakeStudy

from pipelines.report.foreseen import foreseen, off_by, sentence
from pipelines.report.study import load_results
from pipelines.spec.price import ASSUMED
from pipelines.spec.resources import CORE_GFLOPS, work


def test_the_ratio_is_that_of_finished_jobs_alone(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.job("shards", "digits-0", "digits", {}, seconds=12.0)
    study.run("simclr", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    jobs = load_results(study.save(), tmp_path).all
    training = next(job for job in jobs if job.stage == "pretrain")
    expected = 2 * ASSUMED + work(training.spec) / CORE_GFLOPS  # the linear probe is planned, and has no record
    assert foreseen(jobs) == pytest.approx(expected)
    assert off_by(jobs) == pytest.approx((12 + 300 + 4) / expected)
    assert "The finished jobs took 5 min 16 s." in sentence(jobs)


def test_nothing_is_said_before_a_job_is_finished(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.job("shards", "digits-0", "digits", {})
    jobs = load_results(study.save(), tmp_path).all
    assert off_by(jobs) is None
    assert sentence(jobs) == ""
