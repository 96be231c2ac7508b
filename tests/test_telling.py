"""What stages say of their jobs: the lines of a training, and what stands in a job's log when it was asked to end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from study_tools import Made

from pipelines.cli import main
from pipelines.signals import Stop
from pipelines.telling import written
from pipelines.training.telling import LEAST, MOST, Telling

STUDY = """
question: What is said?
dataset: {use: digits, limit: 160}
encoder: {use: resnet, depth: 10, width: 4, stem: small}
methods: [{use: simclr}]
seeds: [0]
training: {epochs: 3, batch_size: 32, precision: float32, monitor_steps: 1}
evaluation: [{use: knn, k: 5}]
floors: false
"""


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def told(steps: Iterator[tuple[int, float]], epochs: int = 10, per_epoch: int = 4, first: int = 0) -> list[str]:
    """What is said when so many steps are done at these times, the first line left out."""
    lines: list[str] = []
    clock = Clock()
    telling = Telling(lines.append, epochs, per_epoch, 32, clock)
    telling.begin(first)
    telling.loss = 1.25
    for step, clock.seconds in steps:
        telling.look(step)
    return lines[1:]


def test_a_line_an_epoch_and_no_two_within_ten_seconds():
    slow = told((step, 5.0 * step) for step in range(1, 41))
    assert slow[0] == "epoch 1 of 10, loss 1.25, 6 images/s, 3 min 00 s left"
    assert [line.split(",")[0] for line in slow] == [f"epoch {epoch} of 10" for epoch in range(1, 11)]
    quick = told(((step, step / 4) for step in range(1, 401)), epochs=100)
    assert len(quick) == 100 / LEAST  # an epoch took one second


def test_the_last_step_is_told_however_short_the_training_was():
    assert told((step, step / 100) for step in range(1, 41)) == ["epoch 10 of 10, loss 1.25, 3,200 images/s"]


def test_an_epoch_that_takes_long_is_told_of_meanwhile():
    lines = told(((step, float(step)) for step in range(1, int(2 * MOST) + 1)), epochs=2, per_epoch=10_000)
    assert [line.split(",")[0] for line in lines] == ["epoch 0.1 of 2", "epoch 0.1 of 2"]


def test_where_it_goes_on_from_is_told_and_its_speed_is_that_of_this_attempt():
    lines: list[str] = []
    clock = Clock()
    telling = Telling(lines.append, 10, 4, 32, clock)
    telling.begin(20)
    clock.seconds = 16.0
    telling.look(24)
    assert lines[0] == "goes on from step 20 of 40 (epochs: 10, steps an epoch: 4, images a step: 32)"
    assert lines[1] == "epoch 6 of 10, 8 images/s, 1 min 04 s left"


def test_the_last_line_of_a_job_names_what_was_left():
    assert written(61.0, ["a.npz"], "record.json") == "done in 1 min 01 s; written: a.npz, record.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return Made.of(STUDY, tmp_path_factory.mktemp("told"))


def said(capsys: pytest.CaptureFixture[str], job: Path) -> list[str]:
    """The lines about a job, times left out."""
    start = f" {job.parent.name} {job.name}: "
    return [line.partition(start)[2] for line in capsys.readouterr().out.splitlines() if start in line]


def test_a_job_that_was_asked_to_end_says_where_it_stopped_and_the_next_attempt_where_it_goes_on(
    made, capsys, monkeypatch
):
    job = made.plan.of("pretrain")[0].folder(made.results)
    asked = iter([False])  # before it begins not, at its first step and from then on it is
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "__call__", lambda _: next(asked, True))
        assert main(["pretrain", "--job", str(job)]) == 143
    first, begun, stopped = said(capsys, job)
    assert first.startswith("attempt 1 starts on ")
    assert begun.startswith("trains from step 0 of ")
    assert stopped.startswith("stopped after step 1 of ")
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "__call__", lambda _: True)
        assert main(["pretrain", "--job", str(job)]) == 143
    assert said(capsys, job) == ["asked to end before it began; the same command does it"]
    assert main(["pretrain", "--job", str(job)]) == 0
    lines = said(capsys, job)
    assert lines[0].startswith("attempt 2 starts on ")
    assert lines[1].startswith("goes on from step 1 of ")
    assert lines[-2].startswith("epoch 3 of 3, loss ")
    assert lines[-1].endswith("record.json")


def test_an_evaluation_says_what_it_found_and_by_which_protocol(made, capsys):
    made.run(*made.plan.of("pretrain"))
    (job,) = made.plan.of("evaluate")
    capsys.readouterr()
    assert main(["evaluate", "--job", str(job.folder(made.results))]) == 0
    found = made.record(job)["metrics"]["test/top1"]
    assert f"knn on test: top1 {found:.4f}" in said(capsys, job.folder(made.results))
