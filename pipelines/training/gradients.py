"""Gradients of several processes as one: averaged bucket by bucket, while the backward pass still makes the rest.

As torch's DistributedDataParallel does, but around a loss that is no ``forward`` and with parameters that may stop and start
to learn between steps (SwAV's prototypes, DINO's last layer), which that searches the graph for. Buckets are sent in one
order in every process, the last layers' first. Sums are divided after sending: with two processes every bit is that of one
message with all gradients; with more, the order of a sum may depend on the place in a bucket, and its rounding with it.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipelines import distributed

BUCKET_BYTES = 25 * 2**20
"""Of a message: torch's own choice for DistributedDataParallel."""


@dataclass(eq=False)
class Bucket:
    """Parameters whose gradients travel together, and what is on its way in this step."""

    parameters: list[nn.Parameter]
    missing: int = 0
    flat: Tensor | None = None
    wait: Callable[[], object] = field(default=lambda: None)


class GradientMean:
    """Means of the gradients of ``module`` over processes. One process averages nothing."""

    def __init__(self, module: nn.Module, bucket_bytes: int | None = None) -> None:
        self._buckets: list[Bucket] = []
        self._sent, self._riders = 0, torch.zeros(0)
        if distributed.world_size() == 1:
            return
        learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
        learning = [each for each in learning if distributed.own_share(each) is each]  # FSDP averages the others
        self._buckets = [Bucket(each) for each in in_buckets(learning[::-1], bucket_bytes or BUCKET_BYTES)]
        for bucket in self._buckets:
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(partial(_arrived, weakref.ref(self), weakref.ref(bucket)))

    def begin(self, riders: Tensor) -> None:
        """Before each backward pass; riders (k,) float32 travel with the first bucket."""
        self._sent, self._riders = 0, riders
        for bucket in self._buckets:
            bucket.missing = sum(parameter.requires_grad for parameter in bucket.parameters)

    def finish(self) -> Tensor:
        """After it: every gradient is the mean over processes; gives that of the riders (k,)."""
        self._send(len(self._buckets))
        riders = self._riders
        for number, bucket in enumerate(self._buckets):
            if bucket.flat is None:
                continue
            bucket.wait()
            bucket.flat /= distributed.world_size()
            learnt = [parameter for parameter in bucket.parameters if parameter.grad is not None]
            sizes = [parameter.numel() for parameter in learnt]
            *parts, rest = bucket.flat.split([*sizes, len(bucket.flat) - sum(sizes)])
            for parameter, part in zip(learnt, parts, strict=True):
                parameter.grad = shaped(part, parameter.grad)
            riders = rest if number == 0 else riders
            bucket.flat = None
        return riders

    def arrived(self, bucket: Bucket) -> None:
        """One more gradient of the bucket is there: send what is whole, in order."""
        bucket.missing -= 1
        ready = self._sent
        while ready < len(self._buckets) and self._buckets[ready].missing <= 0:
            ready += 1
        self._send(ready)

    def _send(self, stop: int) -> None:
        """Send the buckets below ``stop`` that have not been sent; what has no gradient by now is in no process's message."""
        for number in range(self._sent, stop):
            bucket = self._buckets[number]
            gradients = [flattened(p.grad) for p in bucket.parameters if p.grad is not None]
            message = [*gradients, *([self._riders] if number == 0 else [])]
            if message:
                bucket.flat = torch.cat(message)
                bucket.wait = dist.all_reduce(bucket.flat, async_op=True).wait
        self._sent = max(self._sent, stop)


def _arrived(mean: "weakref.ref[GradientMean]", bucket: "weakref.ref[Bucket]", _: Tensor) -> None:
    """A gradient is there. A parameter's hook is never collected: it must not hold what holds the parameter."""
    if (owner := mean()) and (found := bucket()):
        owner.arrived(found)


def in_buckets(parameters: list[nn.Parameter], limit: int) -> list[list[nn.Parameter]]:
    """The parameters in their order, in runs of one type and of at most ``limit`` bytes, or of one larger parameter."""
    buckets: list[list[nn.Parameter]] = []
    size = 0
    for parameter in parameters:
        more = parameter.numel() * parameter.element_size()
        if not buckets or size + more > limit or parameter.dtype != buckets[-1][-1].dtype:
            buckets.append([])
            size = 0
        buckets[-1].append(parameter)
        size += more
    return buckets


def flattened(gradient: Tensor) -> Tensor:
    """(n,): the values in the order they have in memory where that is dense, else in that of the indices."""
    return gradient.as_strided((gradient.numel(),), (1,)) if _dense(gradient) else gradient.reshape(-1)


def shaped(flat: Tensor, like: Tensor | None) -> Tensor:
    """The inverse of ``flattened`` for a gradient like that one; no copy."""
    assert like is not None
    if _dense(like):
        return flat.as_strided(like.shape, like.stride(), flat.storage_offset())
    return flat.view(like.shape)


def _dense(tensor: Tensor) -> bool:
    if tensor.storage_offset():
        return False
    return tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
