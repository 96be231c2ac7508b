"""Views on a stream of their own: what runs where, who waits for whom, and whose memory is kept."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.batch import Batch
from pipelines.training import loop
from pipelines.training.beside import Made, beside, own_stream, tensors


class OnDevice(Tensor):
    """A tensor that says it is a GPU's, and remembers which stream keeps its memory."""

    @property
    def is_cuda(self) -> bool:
        return True

    def record_stream(self, stream: object) -> None:
        self.kept_for = stream


def on_device(number: int) -> Tensor:
    return torch.full((2,), number).as_subclass(OnDevice)


def batch(number: int) -> Batch:
    """One with a tensor in every field that can hold one."""
    return Batch(
        images=on_device(number),
        index=on_device(number),
        label=on_device(number),
        captions=["a", "b"],
        crops=(on_device(number), on_device(number)),
        fields={"depth": on_device(number)},
    )


class Streams:
    """A pretended GPU: two streams, and what is asked of them in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.current = "main"
        self.opened = 0
        own_stream.cache_clear()
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(self, self.current))
        monkeypatch.setattr(torch.cuda, "Stream", self.open)
        monkeypatch.setattr(torch.cuda, "stream", self.entered)

    def open(self, device: torch.device) -> "Stream":
        self.opened += 1
        return Stream(self, "own")

    @contextlib.contextmanager
    def entered(self, stream: "Stream") -> Iterator[None]:
        before, self.current = self.current, stream.name
        try:
            yield
        finally:
            self.current = before

    def made(self, count: int) -> Iterator[Made]:
        for number in range(count):
            self.log.append(f"{self.current} makes {number}")
            yield batch(number), [on_device(number)]


class Stream:
    def __init__(self, streams: Streams, name: str) -> None:
        self.streams, self.name = streams, name

    def wait_stream(self, other: "Stream") -> None:
        self.streams.log.append(f"{self.name} waits for {other.name}")


def test_a_gpu_makes_views_on_its_own_stream_and_a_step_waits_for_its_views_alone(monkeypatch):
    streams = Streams(monkeypatch)
    for number, (given, views) in enumerate(beside(streams.made(2), torch.device("cuda"))):
        streams.log.append(f"{streams.current} steps {number}")
        assert {each.kept_for.name for each in tensors(given, views)} == {"main"}
    assert streams.log == [
        "own waits for main",
        "own makes 0", "main waits for own", "main steps 0",
        "own makes 1", "main waits for own", "main steps 1",
    ]  # fmt: skip


def test_every_epoch_uses_the_same_stream(monkeypatch):
    streams = Streams(monkeypatch)
    for _ in range(3):
        assert len(list(beside(streams.made(2), torch.device("cuda")))) == 2
    assert streams.opened == 1
    assert streams.log.count("own waits for main") == 3


def test_a_failure_while_making_leaves_the_main_stream_current(monkeypatch):
    streams = Streams(monkeypatch)

    def broken() -> Iterator[Made]:
        yield from streams.made(1)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(beside(broken(), torch.device("cuda")))
    assert streams.current == "main"


def test_a_cpu_makes_them_in_turn():
    made = [(batch(number), [on_device(number)]) for number in range(3)]
    assert list(beside(iter(made), torch.device("cpu"))) == made


def test_no_tensor_of_a_batch_is_forgotten():
    given, views = batch(1), [on_device(2)]
    assert len(list(tensors(given, views))) == 1 + 3 + 2 + 1
    assert list(tensors(replace(given, images=None, crops=None, fields={}), [])) == [given.index, given.label]


def fitted_on_a_gpu() -> dict[str, Tensor]:
    """Weights of a short training whose images lie on the GPU."""
    trainer = small_trainer(small_options("simclr"), device=torch.device("cuda"))
    plain = trainer.data.epoch

    def epoch(number: int, first: int = 0) -> Iterator[Batch]:
        for given in plain(number, first):
            assert given.images is not None
            yield replace(given, images=given.images.cuda(), index=given.index.cuda(), label=given.label.cuda())

    trainer.data.epoch = epoch
    trainer.fit()
    return weights(trainer.method)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_weights_are_those_without_a_second_stream(monkeypatch):
    second = fitted_on_a_gpu()
    monkeypatch.setattr(loop, "beside", lambda made, device: made)
    assert equal(fitted_on_a_gpu(), second)
