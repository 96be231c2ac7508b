"""Gradients of two processes, played by one: what is sent when, and what comes back. Real processes: methods/two_ranks.py."""

import gc
import weakref

import pytest
import torch
import torch.distributed as dist
from torch import nn

from pipelines import distributed
from pipelines.training.gradients import GradientMean, flattened, in_buckets, shaped


class Sent:
    """A message under way; what comes back is twice it plus the other process's constant."""

    def __init__(self, log: list, flat: torch.Tensor) -> None:
        self.log, self.flat = log, flat
        log.append(("sent", len(flat)))

    def wait(self) -> None:
        self.log.append(("awaited", len(self.flat)))
        self.flat.add_(3.0)


@pytest.fixture
def log(monkeypatch) -> list:
    found: list = []
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda flat, async_op: Sent(found, flat))
    return found


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 2)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def backward(module: nn.Module, log: list | None = None) -> None:
    module[0].weight.register_post_accumulate_grad_hook(
        lambda _: log.append(("first layer", 0)) if log is not None else None
    )
    module(torch.ones(3, 2, 6, 6)).square().sum().backward()


def test_every_gradient_is_the_mean_and_keeps_its_layout(log):
    alone, module = network(), network()
    backward(alone)
    mean = GradientMean(module, bucket_bytes=100)
    mean.begin(torch.tensor([1.0, 0.0]))
    backward(module)
    assert mean.finish().tolist() == [2.0, 1.5]
    for own, found in zip(alone.parameters(), module.parameters()):
        torch.testing.assert_close(found.grad, (own.grad + 3) / 2)
        assert found.grad.stride() == own.grad.stride()


def test_buckets_travel_while_the_backward_pass_goes_on_last_layers_first(log):
    module = network()
    mean = GradientMean(module, bucket_bytes=100)
    mean.begin(torch.zeros(1))
    backward(module, log)
    mean.finish()
    before = log[: log.index(("first layer", 0))]
    assert before[0] == ("sent", 2 + 1)  # the linear layer's bias and the rider
    assert len(before) >= 3
    assert not [kind for kind, _ in before if kind == "awaited"]
    assert sum(size for kind, size in log if kind == "sent") == sum(p.numel() for p in module.parameters()) + 1


def test_what_stops_learning_is_left_out_and_holds_nothing_up(log):
    module = network()
    mean = GradientMean(module, bucket_bytes=100)
    module[4].requires_grad_(False)
    mean.begin(torch.zeros(1))
    backward(module, log)
    assert log[0] == ("sent", 1)  # the riders' bucket is empty otherwise
    mean.finish()
    assert module[4].weight.grad is None
    module.zero_grad()
    module[4].requires_grad_(True)
    mean.begin(torch.zeros(1))
    backward(module)
    mean.finish()
    assert module[4].weight.grad is not None


def test_what_takes_no_part_in_a_loss_is_sent_by_nobody(log):
    module = network()
    module.append(nn.Linear(2, 2))
    mean = GradientMean(module, bucket_bytes=100)
    mean.begin(torch.zeros(1))
    module[:5](torch.ones(3, 2, 6, 6)).square().sum().backward()
    mean.finish()
    assert module[5].weight.grad is None
    assert all(p.grad is not None for p in module[:5].parameters())


def test_a_hook_does_not_keep_the_network_it_is_in(log):
    """A trainer that goes back to a checkpoint, and the next job of a process, need its memory."""
    module = network()
    mean = GradientMean(module)
    mean.begin(torch.zeros(2))
    module(torch.ones(3, 2, 6, 6)).square().sum().backward()
    mean.finish()
    assert log
    left = weakref.ref(mean), weakref.ref(module[0].weight)
    del mean, module
    gc.collect()
    assert [each() for each in left] == [None, None]


def test_one_process_sends_nothing(monkeypatch):
    monkeypatch.setattr(dist, "all_reduce", None)
    module, riders = network(), torch.ones(2)
    mean = GradientMean(module)
    mean.begin(riders)
    backward(module)
    assert mean.finish() is riders


def test_buckets_hold_so_many_bytes_and_one_type():
    sizes = [10, 10, 30, 1, 1]
    parameters = [nn.Parameter(torch.zeros(size)) for size in sizes] + [nn.Parameter(torch.zeros(1).double())]
    assert [[len(p) for p in bucket] for bucket in in_buckets(parameters, 80)] == [[10, 10], [30], [1, 1], [1]]


@pytest.mark.parametrize("make", [
    lambda: torch.randn(3, 4), lambda: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    lambda: torch.randn(3, 4).T, lambda: torch.randn(6)[2:], lambda: torch.randn(()),
])  # fmt: skip
def test_flat_and_back(make):
    gradient = make()
    flat = torch.cat([torch.zeros(7), flattened(gradient)])[7:]
    assert torch.equal(shaped(flat, gradient), gradient)
