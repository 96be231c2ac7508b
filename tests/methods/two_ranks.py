"""Run by several processes: train methods for a few steps, and compare with one process on the joined batches."""

import contextlib
import sys
from collections.abc import Iterator
from unittest import mock

import torch
import torch.distributed as dist
from rank_tools import checked_by_all
from trainer_tools import FewImages, small_method, small_options, small_trainer, weights

from pipelines import distributed
from pipelines.training import gradients
from pipelines.training.step import Stepper

KEPT = ("encoder.", "target_", "key_", "teacher_", "student.", "queue", "pointer", "bank.", "centre", "prototypes")
"""What has to be the same in every process, and the same as in one: weights, moving averages, queues, banks, centres."""
gradients.BUCKET_BYTES = 2**12  # several buckets even here


def check(name: str) -> None:
    """Losses and weights after three steps, against one process on the joined batches; AssertionError where they differ.

    NAME, or NAME:IMAGES for chunks of at most so many images of a process's share.
    """
    method, _, limit = name.partition(":")
    options = small_options(method)
    mine = FewImages(16, distributed.rank(), distributed.world_size())
    losses, trained = _train(options, mine, int(limit) if limit else None)
    assert all(torch.isfinite(torch.tensor(losses)))
    everywhere = [torch.empty(len(losses)) for _ in range(distributed.world_size())]
    dist.all_gather(everywhere, torch.tensor(losses))
    for key, value in trained.items():  # whatever is promised, ranks must not drift apart
        if key.startswith(KEPT) and value.is_floating_point() and "running" not in key:
            other = value.clone()
            dist.broadcast(other, src=0)
            torch.testing.assert_close(other, value, rtol=0, atol=0, msg=f"ranks differ in {key}")
    if type(small_method(options, norm="none")).same_on_processes:
        with alone():
            reference, single = _train(options, FewImages(16))
        torch.testing.assert_close(torch.stack(everywhere).mean(0), torch.tensor(reference), rtol=1e-4, atol=1e-5)
        for key in single:
            if key.startswith(KEPT) and single[key].is_floating_point() and "running" not in key:
                torch.testing.assert_close(trained[key], single[key], rtol=1e-3, atol=1e-4, msg=f"{key} differs")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """As if there were no process group."""
    with mock.patch.object(distributed, "active", return_value=False):
        yield


def _train(options, data: FewImages, limit: int | None = None) -> tuple[list[float], dict[str, torch.Tensor]]:
    trainer = small_trainer(options, epochs=1, device_batch_size=limit)
    trainer.data = data
    trainer.method = small_method(options, norm="none")
    trainer.make_views = _same_views(trainer.make_views)
    trainer.__post_init__()
    losses: list[float] = []
    step = Stepper.__call__

    def recorded(stepper, views, batch, number):
        output = step(stepper, views, batch, number)
        losses.append(float(output.loss))
        return output

    with mock.patch.object(Stepper, "__call__", recorded):
        trainer.fit()
    return losses, weights(trainer.method)


def _same_views(make):
    """Views that depend on the image alone, so that it does not matter which rank draws them."""

    def views(batch, generator):
        parts = []
        for i in range(len(batch)):
            one = type(batch)(
                images=batch.images[i : i + 1], index=batch.index[i : i + 1], label=batch.label[i : i + 1]
            )
            parts.append(make(one, torch.Generator().manual_seed(int(batch.index[i]))))
        return [torch.cat(view) for view in zip(*parts)]

    return views


if __name__ == "__main__":
    checked_by_all(check, sys.argv[1:])
