"""Batches and their views, made on a stream of a GPU's own while the last step is still at work on the main one."""

import functools
from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor

from pipelines.batch import Batch

Made = tuple[Batch, list[Tensor]]
"""A batch and the views of it."""


def beside(made: Iterator[Made], device: torch.device) -> Iterator[Made]:
    """``made``, as it is on a CPU. On a GPU all that it enqueues goes to a second stream, which the main one waits for.

    The host is ahead of the device, so the views of a step are made while the step before is computed. ``made`` may read
    what lay on the device when this began, and nothing that a step writes.
    """
    if device.type != "cuda":
        yield from made
        return
    main, own = torch.cuda.current_stream(device), own_stream(device)
    own.wait_stream(main)  # for the images that are on their way to the device
    while True:
        with torch.cuda.stream(own):
            found = next(made, None)
        if found is None:
            return
        main.wait_stream(own)
        for tensor in tensors(*found):
            if tensor.is_cuda:
                tensor.record_stream(main)  # its memory is not given away before the step is done
        yield found


@functools.lru_cache
def own_stream(device: torch.device) -> torch.cuda.Stream:
    """The second stream, the same in every epoch: the memory that views have left is given again on their own stream alone."""
    return torch.cuda.Stream(device)


def tensors(batch: Batch, views: list[Tensor]) -> Iterator[Tensor]:
    """All of a batch and of its views."""
    yield from views
    for name in (each.name for each in fields(batch)):
        value = getattr(batch, name)
        held = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        yield from (each for each in held if isinstance(each, Tensor))
