"""Run by two processes: draws, Z and stored slots are those of one process on the joined batch."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from pipelines.methods.bank import MemoryBank, draw_slots, joint_log_z


def main(out: Path) -> None:
    """Write what this rank has to OUT/RANK.pt."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    bank = MemoryBank(20, 4, "uniform")
    index, features = joined()
    mine = slice(3 * rank, 3 * rank + 3)
    slots = draw_slots(index[mine], 20, 5, torch.Generator().manual_seed(rank))
    log_z = joint_log_z((features @ bank.slots[:7].T)[mine], 20)
    bank.store(index[mine], features[mine], 0.5)
    torch.save({"slots": slots, "log_z": log_z, "bank": bank.slots}, out / f"{rank}.pt")
    dist.destroy_process_group()


def joined() -> tuple[torch.Tensor, torch.Tensor]:
    """Index (6,) and features (6, 4) of both processes."""
    return torch.tensor([4, 0, 9, 19, 2, 7]), torch.randn(6, 4, generator=torch.Generator().manual_seed(5))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
