"""Checkpoints beside the training: what is copied, who waits for whom, which two stay, and what a failed write does."""

import threading

import pytest
import torch
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.errors import DamagedFile, EnvironmentFault, InputError
from pipelines.training import checkpoint
from pipelines.training.loop import Stopped


@pytest.fixture
def held(monkeypatch):
    """Writes wait for ``held.set()``."""
    go, save = threading.Event(), checkpoint.save

    def waits(*arguments):
        assert go.wait(30)
        save(*arguments)

    monkeypatch.setattr(checkpoint, "save", waits)
    return go


def test_training_goes_on_while_the_write_lasts_and_what_it_changes_is_not_written(tmp_path, held):
    state = {"step": 1, "nested": [{"weight": torch.ones(3)}, (torch.zeros(2), "text")]}
    with checkpoint.Writer(tmp_path) as writer:
        writer.save(state)
        state["nested"][0]["weight"].fill_(7.0)
        assert not (tmp_path / checkpoint.FILE).exists()
        held.set()
    found = checkpoint.newest(tmp_path)
    assert found["nested"][0]["weight"].tolist() == [1, 1, 1]
    assert found["nested"][1][1] == "text"


def test_a_save_waits_for_the_one_before_and_two_stay(tmp_path):
    with checkpoint.Writer(tmp_path) as writer:
        for step in range(4):
            writer.save({"step": step})
    assert checkpoint.load(tmp_path / checkpoint.FILE)["step"] == 3
    assert checkpoint.load(tmp_path / checkpoint.PREVIOUS)["step"] == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_where_the_last_is_harmed_the_one_before_serves(tmp_path, harm, capsys):
    with checkpoint.Writer(tmp_path) as writer:
        for step in (1, 2):
            writer.save({"step": step})
    file = tmp_path / checkpoint.FILE
    file.unlink() if harm == "gone" else file.write_bytes(file.read_bytes()[:100])
    assert checkpoint.newest(tmp_path)["step"] == 1
    assert ("going on from checkpoint-previous.pt" in capsys.readouterr().err) == (harm == "cut")
    (tmp_path / checkpoint.PREVIOUS).unlink()
    if harm == "cut":
        with pytest.raises(DamagedFile):
            checkpoint.newest(tmp_path)
    else:
        assert checkpoint.newest(tmp_path) is None


def test_a_write_that_failed_is_told_at_the_next_save_or_at_the_end(tmp_path, monkeypatch):
    def fails(path, *_):
        raise EnvironmentFault(f"{path}: could not be written")

    monkeypatch.setattr(checkpoint, "save", fails)
    writer = checkpoint.Writer(tmp_path)
    writer.save({"step": 1})
    with pytest.raises(EnvironmentFault):
        writer.save({"step": 2})
    with pytest.raises(EnvironmentFault), checkpoint.Writer(tmp_path) as other:
        other.save({"step": 1})


def test_what_ended_the_training_is_told_and_the_last_save_still_written(tmp_path, held):
    def saves_and_fails():
        with checkpoint.Writer(tmp_path) as writer:
            writer.save({"step": 1})
            held.set()
            raise KeyError

    with pytest.raises(KeyError):
        saves_and_fails()
    assert checkpoint.newest(tmp_path)["step"] == 1


def test_a_stop_ends_only_when_its_checkpoint_is_there(tmp_path, monkeypatch):
    """As after SIGTERM: who sees the end of the process may count on the file."""
    save = checkpoint.save

    def slow(*arguments):
        threading.Event().wait(0.3)
        save(*arguments)

    monkeypatch.setattr(checkpoint, "save", slow)
    answers = iter([False, False, True])
    trainer = small_trainer(small_options("moco"), tmp_path, stop=lambda: next(answers))
    with pytest.raises(Stopped):
        trainer.fit()
    assert checkpoint.load(tmp_path / checkpoint.FILE)["step"] == 3


def test_epochs_on_request_are_kept_as_they_were(tmp_path):
    trainer = small_trainer(small_options("simclr"), tmp_path, epochs=3, keep_epochs=(2,), checkpoint_minutes=90.0)
    seen, after = {}, trainer._after_epoch

    def looks(done, step, history):
        seen[done] = weights(trainer.method)
        after(done, step, history)

    trainer._after_epoch = looks
    trainer.fit()
    kept = checkpoint.load(tmp_path / checkpoint.milestone(2))
    assert kept["step"] == 6
    assert equal(kept["method"], seen[2])
    checkpoint.forget(tmp_path)
    assert [file.name for file in tmp_path.glob("*.pt")] == ["checkpoint-epoch-2.pt"]


def test_a_run_goes_on_from_the_checkpoint_before_the_last_bit_for_bit(tmp_path):
    whole = small_trainer(small_options("moco"), tmp_path / "whole", checkpoint_minutes=0.0, epochs=3)
    whole.fit()
    file = tmp_path / "whole" / checkpoint.FILE
    file.write_bytes(b"half")
    again = small_trainer(small_options("moco"), tmp_path / "whole", checkpoint_minutes=0.0, epochs=3)
    assert again.standing.restore(again.out, again.step) == 6
    again.fit()
    assert equal(weights(whole.method), weights(again.method))


def test_a_checkpoint_of_another_job_is_refused_and_the_advice_leads_on(tmp_path):
    def begun(folder, job):
        return small_trainer(small_options("moco"), tmp_path / folder, checkpoint_minutes=0.0, epochs=3, job=job)

    whole, mine = begun("whole", "mine-1"), begun("mine", "mine-1")
    whole.fit(), mine.fit(), begun("other", "other-2").fit()
    foreign, here = (tmp_path / name / checkpoint.FILE for name in ("other", "mine"))
    here.write_bytes(foreign.read_bytes())
    before = here.parent / checkpoint.PREVIOUS, (here.parent / checkpoint.PREVIOUS).read_bytes()
    with pytest.raises(
        InputError, match=r"mine/checkpoint\.pt: is a checkpoint of other-2, and here mine-1 is trained;"
    ):
        begun("mine", "mine-1").fit()
    assert before[0].read_bytes() == before[1]
    here.unlink()
    again = begun("mine", "mine-1")
    assert again.standing.restore(again.out, again.step) == 6
    again.fit()
    assert equal(weights(whole.method), weights(again.method))


def test_a_checkpoint_that_names_no_job_is_taken(tmp_path):
    small_trainer(small_options("moco"), tmp_path, epochs=1).fit()
    state = checkpoint.load(tmp_path / checkpoint.FILE)
    del state["job"]
    checkpoint.save(tmp_path / checkpoint.FILE, state)
    again = small_trainer(small_options("moco"), tmp_path, epochs=2, job="mine-1")
    assert again.standing.restore(again.out, again.step) == 3


ODD = {
    "a list": ([1], r"checkpoint\.pt: not a checkpoint of this project \(it holds one list\)"),
    "a tensor": (torch.ones(2), r"not a checkpoint of this project \(it holds one Tensor\)"),
    "a step alone": ({"step": 1}, "its checkpoint does not hold what this training needs .*delete checkpoint"),
    "words for weights": ({"step": 1, "method": "x", "optimizer": {}}, "does not hold what this training needs"),
    "other weights": (
        {"step": 1, "method": {"a": torch.ones(2)}, "optimizer": {"state": {}}},
        "does not hold what this training needs",
    ),
}


@pytest.mark.parametrize(("state", "message"), ODD.values(), ids=ODD)
def test_a_whole_file_of_another_shape_is_one_message(tmp_path, state, message):
    checkpoint.save(tmp_path / checkpoint.FILE, state)
    again = small_trainer(small_options("moco"), tmp_path, epochs=1, job="mine-1")
    with pytest.raises(DamagedFile, match=message):
        again.standing.restore(again.out, again.step)
