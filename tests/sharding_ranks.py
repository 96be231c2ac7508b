"""Run by several processes: a ViT trained in shares (FSDP2) and whole, side by side; a line of JSON for each method."""

import copy
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from rank_tools import checked_by_all
from trainer_tools import FewImages, equal, small_options, small_trainer, weights

from pipelines import distributed
from pipelines.encoders import build_encoder
from pipelines.methods import build
from pipelines.methods.base import DataFacts
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.training.loop import Trainer

SETTINGS = {"optimizer": "adamw", "lr_per_256": 0.01, "lr_scaling": "none", "checkpoint_minutes": 0.0}


def vit_trainer(name: str, out: Path | None, shard_encoder: bool = False, **settings) -> Trainer:
    """A trainer of two epochs, of three steps each, over a micro ViT."""
    trainer = small_trainer(small_options(name), out, **{**SETTINGS, **settings})
    torch.manual_seed(0)
    facts = DataFacts(48, 4, 16, tuple(f"class {i}" for i in range(4)))
    trainer.method = build(
        small_options(name), lambda in_channels=3: build_encoder(ViT(size="micro", patch=4), 16), facts
    )
    trainer.data = FewImages(16, distributed.rank(), distributed.world_size())
    trainer.training = trainer.training.model_copy(update={"shard_encoder": shard_encoder})
    trainer.__post_init__()
    return trainer


def check(name: str, out: Path) -> None:
    """Losses and weights of shares are those of whole networks; the last checkpoint, too; so does a resumed one."""
    extra = {"recompute_blocks": True} if name == "moco_v3" else {}
    whole, cut = vit_trainer(name, None, **extra), vit_trainer(name, out, shard_encoder=True, **extra)
    held = sum(distributed.own_share(p).numel() for p in cut.method.encoder.parameters())
    assert held < 0.6 * sum(p.numel() for p in whole.method.encoder.parameters())
    one, other = whole.fit(), cut.fit()
    for key in one.metrics:
        if key != "final/train/lr":
            assert abs(one.metrics[key] - other.metrics[key]) <= 1e-3 * max(1, abs(one.metrics[key])), key
    same(weights(whole.method), weights(cut.method))
    dist.barrier()
    saved = torch.load(out / "checkpoint.pt", weights_only=True)
    same(weights(whole.method), saved["method"])
    averages = whole.step.optimizer.state_dict()["state"]
    assert averages.keys() == saved["optimizer"]["state"].keys()
    for number, kept in averages.items():
        for key, value in kept.items():
            torch.testing.assert_close(saved["optimizer"]["state"][number][key], value, rtol=1e-3, atol=1e-5)
    dist.barrier()
    on = vit_trainer(name, out, shard_encoder=True, epochs=3, **extra)
    assert on.standing.restore(out, on.step) == 6
    found = on.step.shares.whole_method()  # in the first process, which writes it
    if distributed.rank() == 0:
        assert equal(found, saved["method"])
    else:
        assert any(value.numel() == 0 for value in found.values())
    assert equal(on.step.shares.whole_in(copy.deepcopy(on.plain)).state_dict(), saved["method"])


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-3, atol=1e-5, msg=key)


def main(out: Path, names: list[str]) -> None:
    """Check every method, each in a folder of its own."""
    checked_by_all(lambda name: check(name, out / name), names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
