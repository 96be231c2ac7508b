"""A step costs what is said of it: multiply-adds counted by torch in every method's step, and in published networks."""

import functools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from trainer_tools import CLASSES, COUNT, SIDE, every_method, small_options, small_trainer

from pipelines.encoders import build_encoder
from pipelines.methods import build
from pipelines.methods.base import DataFacts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.byol import Options as BYOL
from pipelines.spec.methods.dino import Options as DINO
from pipelines.spec.methods.mae import Options as MAE
from pipelines.spec.methods.moco import Options as MoCo
from pipelines.spec.methods.swav import Options as SwAV


def counted(call) -> float:
    """Multiply-adds in billions; torch counts an addition and a multiplication as two."""
    with FlopCounterMode(display=False) as mode:
        call()
    return mode.get_total_flops() / 2e9


class Measured(EncoderOptions):
    """An encoder whose price is counted, so that what is tested is how often a method asks for it, and for which sizes."""

    of: EncoderOptions

    def forward_gflops(self, image_size: int) -> float:
        return priced(self.of, image_size)


@functools.cache
def priced(options: EncoderOptions, side: int) -> float:
    network = build_encoder(options, SIDE).eval()
    return counted(lambda: network(torch.zeros(1, 3, side, side)))


class MeasuredViT(ViT):
    def forward_gflops(self, image_size: int) -> float:
        return priced(ViT(size=self.size, patch=self.patch), image_size)


HEADS = {"cpc", "dim"}
"""Methods whose heads work on maps: only beside a network that is not tiny are they small, as the others' always are."""


@every_method
def test_a_step_costs_what_its_method_says(name):
    options = small_options(name)
    if name == "clip":  # the tower is priced for texts of full length: these have 20 bytes
        options = options.model_copy(update={"context": 24})
    resnet = ResNet(depth=10, width=64 if name in HEADS else 8, stem="small")
    trainer = small_trainer(options, batch_size=4)
    facts = DataFacts(COUNT, CLASSES, SIDE, tuple(f"class {i}" for i in range(CLASSES)))
    vit = ViT(size="micro", patch=4)
    said: EncoderOptions = MeasuredViT(size="micro", patch=4) if name == "mae" else Measured(of=resnet)
    method = build(
        options, lambda in_channels=3: build_encoder(vit if name == "mae" else resnet, SIDE, in_channels), facts
    )
    batch = next(iter(trainer.data.epoch(0)))
    views = trainer.make_views(batch, torch.Generator().manual_seed(0))

    def step() -> None:
        method.loss(views, batch, trainer.step.progress(1)).loss.backward()

    found = options.passes(said, options.default_views(SIDE), SIDE).gflops
    assert counted(step) / len(batch) == pytest.approx(found, rel=0.2)


@pytest.mark.parametrize("options", [
    ResNet(depth=18), ResNet(depth=50), ResNet(depth=50, width=128), ResNet(depth=18, stem="small"), ViT(size="small"),
    ViT(size="base"), ViT(size="large"),
])  # fmt: skip
def test_a_pass_of_a_published_network_costs_what_the_table_says(options):
    side = 32 if getattr(options, "stem", None) == "small" else 224
    with torch.device("meta"):
        network = build_encoder(options, side)
        images = torch.zeros(1, 3, side, side)
    assert counted(lambda: network(images)) == pytest.approx(options.forward_gflops(side), rel=0.06)


def test_known_ratios_of_methods_to_two_views_through_one_network():
    resnet, vit = ResNet(depth=50), ViT(size="base", position="sincos")
    two = 6 * resnet.forward_gflops(224)

    def share(options) -> float:
        return options.passes(resnet, options.default_views(224), 224).gflops / two

    assert share(MoCo()) == pytest.approx(4 / 6)
    assert share(BYOL()) == pytest.approx(8 / 6)
    small = (96 / 224) ** 2
    assert share(SwAV()) == pytest.approx(1 + 3 * small)
    assert share(DINO(recipe="convnet")) == pytest.approx((3 * (2 + 8 * small) + 2) / 6)
    mae = MAE().passes(vit, MAE().default_views(224), 224).gflops / (6 * vit.forward_gflops(224))
    assert 1 / 4 < mae < 1 / 3
