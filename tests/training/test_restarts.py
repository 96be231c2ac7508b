"""A training that meets a step without a number goes back to its checkpoint and on with other draws, as often as it may."""

import contextlib

import pytest
import torch
from study_tools import Made
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.errors import BadResult, NotANumber
from pipelines.history import read
from pipelines.spec.training import Training
from pipelines.stages import pretrain
from pipelines.training.loop import Stopped
from pipelines.training.restarts import trained

PER_EPOCH, POISONED = 3, 4


class Runs:
    """Makes trainers of three epochs that save after each; the first ``bad`` of them meet a NaN at step 4."""

    def __init__(self, out, bad: int) -> None:
        self.out, self.bad, self.made, self.said = out, bad, 0, []
        self.draws: dict[tuple[int, int], int] = {}

    def say(self, line: str) -> None:
        if "Restart" in line:
            self.said.append(line)

    def trainer(self, restarts: int, stop_at: int | None = None):
        trainer = small_trainer(small_options("simclr"), self.out, epochs=3, checkpoint_minutes=0.0)
        trainer.standing.restarts = restarts
        run, make = self.made, trainer.make_views
        self.made += 1
        seen = []

        def views(batch, generator):
            step = seen[-1] + 1 if seen else trainer.standing.saved or 0
            seen.append(step)
            self.draws[run, step] = generator.initial_seed()
            made = make(batch, generator)
            if step == POISONED and run < self.bad:
                made[0][0, 0, 0, 0] = torch.nan
            return made

        trainer.make_views, trainer.say = views, self.say
        if stop_at is not None:
            trainer.step.stop = lambda: bool(seen) and seen[-1] >= stop_at
        return trainer

    def run(self, most: int):
        return trained(self.trainer, most, contextlib.nullcontext)


def test_it_goes_back_and_on_with_other_draws(tmp_path):
    runs = Runs(tmp_path, bad=1)
    trainer, fitted = runs.run(most=1)
    assert fitted.derived["restarts"] == 1
    assert [line for line in runs.said if "Restart 1 of 1" in line and f"at step {POISONED} of 9" in line] == runs.said
    again = [step for run, step in runs.draws if run == 1]
    assert again == list(range(PER_EPOCH, 9))  # from the checkpoint after the first epoch
    for step in (PER_EPOCH, POISONED):
        assert runs.draws[0, step] != runs.draws[1, step]
    assert [point.step for point in read(tmp_path / "history.jsonl")] == sorted(
        {point.step for point in read(tmp_path / "history.jsonl")}
    )
    assert all(value.isfinite().all() for value in weights(trainer.method).values())


def test_what_came_before_the_checkpoint_is_as_it_would_have_been(tmp_path):
    runs, plain = Runs(tmp_path / "bad", bad=1), Runs(tmp_path / "good", bad=0)
    runs.run(most=1)
    _, fitted = plain.run(most=1)
    assert "restarts" not in fitted.derived
    for step in range(PER_EPOCH):
        assert runs.draws[0, step] == plain.draws[0, step]


@pytest.mark.parametrize("most", [0, 2])
def test_it_ends_when_every_restart_fails(tmp_path, most):
    runs = Runs(tmp_path, bad=most + 1)
    with pytest.raises(NotANumber, match=f"at step {POISONED} of 9"):
        runs.run(most)
    assert runs.made == most + 1
    assert len(runs.said) == most


def test_one_that_was_ended_after_a_restart_goes_on_with_its_draws(tmp_path):
    whole, ended = Runs(tmp_path / "whole", bad=1), Runs(tmp_path / "ended", bad=1)
    undisturbed, _ = whole.run(most=1)
    with pytest.raises(NotANumber):
        ended.trainer(0).fit()
    with pytest.raises(Stopped):
        ended.trainer(1, stop_at=7).fit()
    trainer, fitted = ended.run(most=1)
    assert fitted.derived["restarts"] == 1
    assert ended.draws[2, 8] == whole.draws[1, 8]
    assert equal(weights(trainer.method), weights(undisturbed.method))


def test_restarts_are_counted_over_all_attempts(tmp_path):
    ended = Runs(tmp_path, bad=1)
    with pytest.raises(NotANumber):
        ended.trainer(0).fit()
    with pytest.raises(Stopped):
        ended.trainer(1, stop_at=7).fit()
    poisoned = ended.trainer(0)
    poisoned.make_views = lambda batch, generator: [torch.full_like(batch.images.float(), torch.nan)] * 2
    with pytest.raises(NotANumber):
        trained(lambda restarts: poisoned, 1, contextlib.nullcontext)
    assert not ended.said


def test_a_collapse_is_no_reason_to_go_back(tmp_path):
    def collapsed(restarts: int):
        trainer = small_trainer(small_options("simclr"), tmp_path)

        def look(epoch, metrics):
            raise BadResult("collapsed")

        trainer.evaluate, trainer.watch = lambda encoder: {}, look
        return trainer

    with pytest.raises(BadResult, match="collapsed"):
        trained(collapsed, 5, contextlib.nullcontext)


def test_restarts_that_are_off_are_no_part_of_a_run():
    assert "restarts" not in Training().content()
    assert Training(restarts=2).content()["restarts"] == 2


STUDY = """
question: q
dataset: {use: digits, limit: 48, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr, hidden: 16, dim: 8}]
seeds: [0]
floors: false
training: {epochs: 3, batch_size: 16, checkpoint_minutes: 0, restarts: 1}
evaluation: [{use: knn}]
"""


def test_a_pretraining_counts_its_restarts_in_its_record(tmp_path, monkeypatch, capsys):
    made = Made.of(STUDY, tmp_path)
    (job,) = made.plan.of("pretrain")
    honest, begun = pretrain.trainer, []

    def poisoned(*given, **options):
        trainer = honest(*given, **options)
        make, first = trainer.make_views, not begun
        begun.append(options["restarts"])

        def views(batch, generator):
            found = make(batch, generator)
            return [view * torch.nan for view in found] if first and trainer.standing.saved else found

        trainer.make_views = views
        return trainer

    monkeypatch.setattr(pretrain, "trainer", poisoned)
    made.run(job)
    assert begun == [0, 1]
    assert made.record(job)["derived"]["restarts"] == 1
    said = capsys.readouterr().out
    assert "Restart 1 of 1" in said
    assert f"goes on from step {made.record(job)['derived']['steps_per_epoch']} of" in said
