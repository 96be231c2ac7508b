"""Run by several processes: rows that are exchanged come from where the order says, and no process gets more than its own."""

import torch
import torch.distributed as dist
from rank_tools import checked_by_all

from pipelines import distributed
from pipelines.methods.shuffle import exchanged, shuffled

COUNT = 5


def rows() -> torch.Tensor:
    """Each row tells which of all it is."""
    first = COUNT * distributed.rank()
    return torch.arange(first, first + COUNT, dtype=torch.float32)[:, None, None].expand(-1, 2, 3)


def any_order(_: str) -> None:
    """Also orders that leave every row where it is, or send all of a process's to one other."""
    total, rank = COUNT * distributed.world_size(), distributed.rank()
    for order in (torch.arange(total), torch.arange(total).roll(COUNT), torch.arange(total).flip(0), torch.randperm(
        total, generator=torch.Generator().manual_seed(1)
    )):  # fmt: skip
        found = exchanged(rows(), order)
        assert found.shape == (COUNT, 2, 3)
        assert torch.equal(found[:, 0, 0].long(), order[rank * COUNT : (rank + 1) * COUNT])


def results_lie_as_given(_: str) -> None:
    """Also in bfloat16, which is what is sent under autocast; and what is encoded here is not what was here."""
    seen: list[torch.Tensor] = []

    def encode(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return images.flatten(1).float()

    def joint() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    own = torch.Generator().manual_seed(distributed.rank())
    assert torch.equal(shuffled(encode, rows(), own, joint()), rows().flatten(1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(shuffled(encode, rows(), own, joint()), rows().flatten(1))
    assert [images.dtype for images in seen] == [torch.float32, torch.bfloat16]
    assert all(len(images) == COUNT for images in seen)
    assert sorted(seen[0][:, 0, 0].tolist()) != rows()[:, 0, 0].tolist()


def images_are_not_gathered(_: str) -> None:
    """What every process gets from all others are embeddings alone."""
    gathered: list[torch.Size] = []
    kept = dist.all_gather
    dist.all_gather = lambda parts, part: (gathered.append(part.shape), kept(parts, part))[1]
    try:
        shuffled(lambda x: x.flatten(1)[:, :1], rows(), torch.Generator(), torch.Generator().manual_seed(0))
    finally:
        dist.all_gather = kept
    assert gathered == [(COUNT, 1)]


CHECKS = {check.__name__: check for check in (any_order, results_lie_as_given, images_are_not_gathered)}

if __name__ == "__main__":
    checked_by_all(lambda name: CHECKS[name](name), CHECKS)
