"""A loss, a gradient or a weight that is no number: noticed at the step that made it, and told so that one can act."""

import json

import pytest
import torch
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.errors import BadResult
from pipelines.history import read
from pipelines.training import checkpoint
from pipelines.training.broken import FILE
from pipelines.training.notices import Notices


def poisoned(out, *, at: int, value: float = torch.nan, monitor_steps: int = 100, method: str = "simclr", **settings):
    """A trainer of 2 x 3 steps whose batch of step ``at`` holds one such value; names by number."""
    trainer = small_trainer(small_options(method), out, monitor_steps=monitor_steps, **settings)
    trainer.ids = [f"image-{i}" for i in range(48)]
    make, met = trainer.make_views, []

    def views(batch, generator):
        met.append(batch.index)
        made = make(batch, generator)
        if len(met) == at + 1:
            made[0][3, 0, 2, 2] = value
        return made

    trainer.make_views = views
    return trainer, met


@pytest.mark.parametrize(("at", "value"), [(0, torch.nan), (1, torch.nan), (4, torch.nan), (4, torch.inf)])
def test_what_is_no_number_in_a_batch_is_noticed_at_its_step_though_no_monitor_looks(tmp_path, at, value):
    trainer, met = poisoned(tmp_path, at=at, value=value)
    with pytest.raises(
        BadResult, match=rf"at step {at} of 6 \(gradient norm nan\), on 16 images: image-\d+, .*lower lr_per_256"
    ):
        trainer.fit()
    assert len(met) == at + 1
    told = json.loads((tmp_path / FILE).read_text())
    assert told == {"step": at, "images": [f"image-{i}" for i in met[at].tolist()]}


def test_the_last_good_checkpoint_is_named_and_left_alone(tmp_path):
    trainer, _ = poisoned(tmp_path, at=4, checkpoint_minutes=0.0)
    with pytest.raises(BadResult, match=r"the last good checkpoint is .*checkpoint\.pt, after step 3;"):
        trainer.fit()
    state = checkpoint.load(tmp_path / "checkpoint.pt")
    assert state["step"] == 3
    assert all(value.isfinite().all() for value in state["method"].values())


def test_without_a_checkpoint_the_message_says_so():
    trainer, _ = poisoned(None, at=2)
    with pytest.raises(BadResult, match="no checkpoint was written before"):
        trainer.fit()


def test_a_checkpoint_is_named_after_a_new_start_too(tmp_path):
    small = poisoned(tmp_path, at=4, checkpoint_minutes=0.0)[0]
    with pytest.raises(BadResult):
        small.fit()
    again, _ = poisoned(tmp_path, at=0)
    with pytest.raises(BadResult, match=r"at step 3 of 6 .*, after step 3;"):
        again.fit()


def test_a_weight_that_overflows_in_the_update_never_gets_into_a_checkpoint(tmp_path):
    trainer = small_trainer(small_options("simclr"), tmp_path, epochs=1, monitor_steps=100)
    step = trainer.step.optimizer.step
    done = []

    def overflows():
        step()
        done.append(1)
        if len(done) == 3:
            next(trainer.method.parameters()).data.fill_(torch.inf)

    trainer.step.optimizer.step = overflows
    with pytest.raises(BadResult, match=r"a weight is not a number after step 3 of 3; no checkpoint"):
        trainer.fit()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_gradients_norm_is_a_curve(tmp_path):
    trainer = small_trainer(small_options("simclr"), tmp_path, epochs=1)
    found, step = [], trainer.step.optimizer.step

    def reads():
        gradients = [p.grad.flatten().double() for p in trainer.method.parameters() if p.grad is not None]
        found.append(torch.cat(gradients).norm().item())
        step()

    trainer.step.optimizer.step = reads
    trainer.fit()
    logged = [point.metrics["train/gradient_norm"] for point in read(tmp_path / "history.jsonl")]
    assert logged == pytest.approx(found, rel=1e-5)


def test_clipping_leaves_the_norm_before_it_in_the_curve():
    plain, clipped = (
        small_trainer(small_options("simclr"), epochs=1, batch_size=48, clip=clip) for clip in (None, 1e-4)
    )
    norms = [trainer.fit().metrics["final/train/gradient_norm"] for trainer in (plain, clipped)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    assert not equal(weights(plain.method), weights(clipped.method))


class Device:
    """Stands for a GPU in ``Notices``: values arrive when they are waited for, and the waits are counted."""

    type = "cuda"


class Slow:
    def __init__(self, values):
        self.values, self.device = values, Device()

    def to(self, place, non_blocking=False):
        assert (place, non_blocking) == ("cpu", True)
        return self

    def tolist(self):
        return self.values


def test_on_a_gpu_a_step_is_read_when_the_next_one_is_put(monkeypatch):
    """Without one here, its tensors and events are stood in for; what is tested is who waits for what."""
    waited = []

    class Event:
        def record(self):
            self.number = len(made)
            made.append(self)

        def synchronize(self):
            waited.append(self.number)

    made = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    notices, index = Notices(), torch.arange(2)
    notices.put(Slow([0.0, 0.0, 0.0, 1.0]), 0, index)
    assert waited == []
    notices.put(Slow([0.5, 0.0, 1.0, float("nan")]), 1, index)
    assert (waited, notices.stop, notices.broken) == ([0], False, None)
    notices.settle()
    assert (waited, notices.stop) == ([0, 1], True)
    assert notices.broken.step == 1
    notices.settle()
    assert waited == [0, 1]
