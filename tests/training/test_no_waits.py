"""A training step asks the device for nothing: in a step that no monitor reads, the host runs ahead of it.

On a CPU nothing waits, so the questions themselves are caught: reading a value, and results whose size depends on values.
With a GPU, CUDA says itself where the host waited.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from trainer_tools import SIDE, FewImages, small_options, small_trainer

from pipelines.batch import Batch
from pipelines.spec.methods import names, options_class
from pipelines.spec.methods.peer import Peer
from pipelines.spec.views import Augmentation, Views
from pipelines.training.notices import Notices
from pipelines.views.maker import ViewMaker

aten = torch.ops.aten
ASKING = {
    aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.is_nonzero, aten._unique2, aten.unique_dim,
    aten.unique_consecutive, aten.bincount,
}  # fmt: skip
"""item, float, int, bool, and what has a size that the host has to learn."""
BY_MASK = {aten.index, aten.index_put_, aten.index_put}


class Asks(TorchDispatchMode):
    """Refuses operations by which the host would learn a value."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masks = func.overloadpacket in BY_MASK and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if func.overloadpacket in ASKING or masks:
            raise AssertionError(f"the host asks for a value: {func}")
        return func(*args, **(kwargs or {}))


def refuses(*args, **kwargs):
    raise AssertionError("the host asks for values")


def ready(name: str, monkeypatch: pytest.MonkeyPatch | None = None, **given):
    """A trainer with one step of its second epoch: what is checked once at the start is done."""
    trainer = small_trainer(small_options(name, **given), epochs=3, monitor_steps=1000)
    batches = [trainer.data.batch(step) for step in range(5)]
    views = [trainer.make_views(batch, torch.Generator().manual_seed(0)) for batch in batches]
    for step in range(4):
        trainer.step(views[step], batches[step], step)
    assert not trainer.step.watching(4)
    return trainer, views[4], batches[4]


def batch_of(data: FewImages, step: int) -> Batch:
    return next(iter(data.epoch(step // data.steps_per_epoch, step % data.steps_per_epoch)))


@pytest.fixture(autouse=True)
def batches_by_number(monkeypatch):
    monkeypatch.setattr(FewImages, "batch", batch_of, raising=False)


OTHER_PATHS = [
    ("clip", {"captions": False}), ("clip", {"captions": False, "templates": ("a {}",)}), ("instdisc", {"loss": "softmax"}),
    ("instdisc", {"loss": "info_nce"}), ("cpc", {"negatives": "sampled"}), ("moco", {"feature_transform": {}}),
    ("moco", {"bn_splits": 2, "symmetric": True}), ("dim", {"gamma": 0.1}), ("simclr", {"feature_transform": {}}),
    ("swav", {"queue_size": 32, "queue_start_epoch": 0.0}),
]  # fmt: skip
OURS = [name for name in names() if not issubclass(options_class(name), Peer)]
"""A peer's losses are its library's, which picks pairs by a mask."""
CASES = [*((name, {}) for name in OURS), *OTHER_PATHS]


@pytest.mark.parametrize(("name", "given"), CASES, ids=[f"{name}-{given}" for name, given in CASES])
def test_a_step_asks_for_no_value(name, given, monkeypatch):
    given = dict(given)
    captions = given.pop("captions", True)
    trainer, views, batch = ready(name, **given)
    if not captions:
        batch = Batch(images=batch.images, index=batch.index, label=batch.label)
    monkeypatch.setattr(Notices, "put", lambda *_: None)  # reads a step later on a GPU, at once on a CPU: see its test
    if "adam" in trainer.training.optimizer:  # counts its steps on the host
        step = trainer.step.optimizer.step
        monkeypatch.setattr(trainer.step.optimizer, "step", lambda: _plain(step))
    copies_nothing(monkeypatch)
    for question in ("tolist", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, question, refuses)
    with Asks():
        trainer.step(views, batch, 4)


@pytest.mark.parametrize("name", OURS)
def test_making_views_copies_nothing_that_the_device_would_be_waited_for(name, monkeypatch):
    trainer, _, batch = ready(name)
    copies_nothing(monkeypatch)
    trainer.make_views(batch, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("colour", ["lab", "ycbcr", "ydbdr"])
def test_no_colours_are_copied_for_every_view(colour, monkeypatch):
    maker = ViewMaker(Views(augmentations=(Augmentation(colour=colour),)), SIDE, (0.5,) * 3, (0.25,) * 3)
    batch = batch_of(FewImages(8), 0)
    maker(batch, torch.Generator().manual_seed(0))
    copies_nothing(monkeypatch)
    maker(batch, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("copy", [lambda x: x.new_tensor([1.0]), lambda x: torch.tensor([1.0], device=x.device)])
def test_each_kind_of_copy_is_caught(copy, monkeypatch):
    copies_nothing(monkeypatch)
    torch.tensor([1.0])  # on the host
    with pytest.raises(AssertionError, match="copies numbers to the device"):
        copy(torch.ones(3))


def copies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses copies of Python's numbers to a device, for which the host waits."""

    def refused(*args, **kwargs):
        raise AssertionError("the host copies numbers to the device, and waits for it")

    real = torch.tensor
    monkeypatch.setattr(torch.Tensor, "new_tensor", refused)
    monkeypatch.setattr(
        torch, "tensor", lambda *args, **given: (refused if "device" in given else real)(*args, **given)
    )


def _plain(step):
    with _disable_current_modes():
        return step()


@pytest.mark.parametrize(
    "question",
    [
        lambda x: x.sum().item(), lambda x: float(x[0]), lambda x: bool(x.any()), lambda x: x[x > 0], lambda x: x.nonzero(),
        lambda x: x.unique(), lambda x: torch.equal(x, x),
    ],
)  # fmt: skip
def test_each_kind_of_question_is_caught(question):
    with pytest.raises(AssertionError, match="asks for a value"), Asks():
        question(torch.ones(3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", OURS)
def test_on_a_gpu_the_host_waits_for_nothing(name):
    trainer = small_trainer(small_options(name), epochs=3, monitor_steps=1000, device=torch.device("cuda"))
    for step in range(5):
        batch = batch_of(trainer.data, step)
        batch = Batch(batch.images.cuda(), batch.index.cuda(), batch.label.cuda(), batch.captions)
        views = trainer.make_views(batch, torch.Generator("cuda").manual_seed(step))
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error" if step == 4 else "default")
        try:
            trainer.step(views, batch, step)
        finally:
            torch.cuda.set_sync_debug_mode("default")
