"""The order of training: an epoch is a permutation all processes share, a step a slice of it, split over the ranks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.errors import InputError
from pipelines.randomness import generator


@dataclass(frozen=True, kw_only=True)
class Order:
    """How samples become steps.

    batch_size  samples a step over all processes, a multiple of world_size
    seed        of the permutations; epoch e's depends on (seed, e) only, so any step can be started from
    shuffle     False: every epoch in reading order
    drop_last   whether the rest that fills no batch is left out (of that epoch)
    """

    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1
    shuffle: bool = True
    drop_last: bool = True

    def __post_init__(self) -> None:
        assert 0 <= self.rank < self.world_size, f"rank {self.rank} of {self.world_size}"
        if self.batch_size < 1 or self.batch_size % self.world_size:
            raise InputError(
                f"training.batch_size: {self.batch_size} images a step cannot be shared evenly by {self.world_size} "
                f"processes; choose a multiple of {self.world_size}"
            )

    def steps_per_epoch(self, num_samples: int) -> int:
        """Steps an epoch of ``num_samples``; InputError when there is not even one."""
        if self.drop_last and num_samples < self.batch_size:
            raise InputError(
                f"training.batch_size: {self.batch_size} is more than the {num_samples} images to train on; "
                "choose a smaller one"
            )
        return num_samples // self.batch_size if self.drop_last else -(-num_samples // self.batch_size)

    def permutation(self, num_samples: int, epoch: int) -> Tensor:
        """(num_samples,) int64: the epoch's order, the same in every process."""
        if not self.shuffle:
            return torch.arange(num_samples)
        return torch.randperm(num_samples, generator=generator(self.seed, "order", epoch))

    def batches(self, num_samples: int, epoch: int, first_step: int = 0) -> Iterator[Tensor]:
        """This rank's positions, (batch_size / world_size,) int64 a step, from ``first_step`` of the epoch on.

        A last, smaller batch is shared as evenly as it goes; a rank's part of it may be empty.
        """
        order = self.permutation(num_samples, epoch)
        for step in range(first_step, self.steps_per_epoch(num_samples)):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield batch.tensor_split(self.world_size)[self.rank]
