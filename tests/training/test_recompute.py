"""Activation checkpointing: loss, gradients and weights keep every bit, batch norm moves once, and less is kept."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from trainer_tools import equal, every_method, small_method, small_options, small_trainer, weights

from pipelines.encoders import build_encoder
from pipelines.errors import InputError
from pipelines.spec.encoders.alexnet import Options as AlexNet
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.timm import Options as Timm
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.training import Training
from pipelines.training.recompute import Recomputed, recompute_blocks, statistics_kept


@every_method
def test_every_method_trains_to_the_same_bits(name):
    plain, again = (small_trainer(small_options(name), epochs=1, recompute_blocks=on) for on in (False, True))
    assert any(isinstance(getattr(part, "forward", None), Recomputed) for part in again.method.modules())
    one, other = plain.fit(), again.fit()
    assert equal(weights(plain.method), weights(again.method))  # batch norm's running statistics are among them
    assert one.metrics == other.metrics


@pytest.mark.parametrize(
    "encoder", [ResNet(depth=50, width=8, stem="small"), ViT(size="micro", patch=4, drop_path=0.5)]
)
def test_gradients_keep_every_bit_and_statistics_move_once(encoder):
    torch.manual_seed(0)
    plain = small_method(small_options("supervised"))
    plain.encoder = build_encoder(encoder, 16)
    again, images = copy.deepcopy(plain), torch.randn(6, 3, 16, 16)
    recompute_blocks(again)
    for method in (plain, again):
        torch.manual_seed(1)  # drop path draws from torch's generator
        method.train().encoder(images).square().sum().backward()
    for one, other in zip(plain.encoder.parameters(), again.encoder.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    norms = [module for module in again.encoder.modules() if isinstance(module, _BatchNorm)]
    assert all(int(norm.num_batches_tracked) == 1 and norm.momentum == 0.1 for norm in norms)
    assert equal(weights(plain), weights(again))


def test_statistics_over_gpus_move_once_as_others_do():
    """torch's own form, which several GPUs have: alone, on a CPU, it computes like any batch norm."""
    norm, images = nn.SyncBatchNorm(3), torch.randn(4, 3, 2, 2)
    first = norm(images)
    kept = copy.deepcopy(norm.state_dict())
    with statistics_kept(norm):
        again = norm(images)
    assert torch.equal(first, again)
    assert equal(kept, norm.state_dict())
    norm(images)
    assert int(norm.num_batches_tracked) == 2


def test_no_block_keeps_more_than_its_input():
    def kept(on: bool) -> int:
        method = small_method(small_options("mae")).train()
        if on:
            recompute_blocks(method)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            method.encoder(torch.randn(8, 3, 16, 16))
        return sum(sizes)

    assert kept(True) < kept(False) / 4


def test_with_chunks_it_is_the_step_of_chunks_alone():
    plain, again = (
        small_trainer(small_options("byol"), epochs=1, device_batch_size=6, recompute_blocks=on) for on in (False, True)
    )
    plain.fit()
    again.fit()
    assert equal(weights(plain.method), weights(again.method))


@pytest.mark.parametrize("encoder", [AlexNet(), Timm(name="resnet18")])
def test_encoders_without_known_blocks_are_refused_by_the_plan(encoder):
    with pytest.raises(
        ValueError, match=r"recompute_blocks: blocks of .* are not known here; use encoder resnet or vit"
    ):
        Training(recompute_blocks=True).check_encoder(encoder)


def test_and_by_the_training_itself():
    method = small_method(small_options("supervised"))
    method.encoder = build_encoder(AlexNet(), 64)
    with pytest.raises(InputError, match="recompute_blocks"):
        recompute_blocks(method)
