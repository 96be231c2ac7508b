"""Normalisations: MoCo's split batch norm against its reference, and conversions that keep what was learnt."""

import copy
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pipelines.encoders.norms import (
    NormKind,
    SplitBatchNorm,
    StandardisedConv2d,
    SyncBatchNorm,
    conv,
    images_per_batch_norm,
    num_groups,
    split_batch_norm,
    sync_batch_norm,
)
from pipelines.errors import InputError


@both_precisions
def test_split_batch_norm_equals_the_reference(dtype: torch.dtype) -> None:
    given, expected = tensors("split_batchnorm", dtype), load("split_batchnorm")
    layer = SplitBatchNorm(3, int(given["num_splits"])).to(dtype)
    layer.load_state_dict({**layer.state_dict(), "weight": given["weight"], "bias": given["bias"]})
    for step, x in enumerate(given["x"]):
        assert_close(layer(x), expected["out_train"][step], dtype)
        assert_close(layer.running_mean, expected["running_mean"][step], dtype)
        assert_close(layer.running_var, expected["running_var"][step], dtype)
    assert int(layer.num_batches_tracked) == 2
    assert_close(layer.eval()(given["x"][0]), expected["out_eval_x0"], dtype)


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 4, 4)])
def test_a_group_is_the_samples_with_the_same_remainder(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    out = SplitBatchNorm(5, splits=2)(x)
    for group in range(2):
        plain = nn.BatchNorm1d(5) if len(shape) == 2 else nn.BatchNorm2d(5)
        torch.testing.assert_close(out[group::2], plain(x[group::2]))


def test_split_batch_norm_takes_channels_last() -> None:
    x, layer = torch.randn(8, 6, 4, 4), SplitBatchNorm(6, 4)
    torch.testing.assert_close(layer(x.contiguous(memory_format=torch.channels_last)), layer(x))


def test_a_batch_that_does_not_split_is_refused() -> None:
    with pytest.raises(InputError, match=r"batch of 6 rows.*multiple of 4"):
        SplitBatchNorm(3, 4)(torch.randn(6, 3, 2, 2))


def test_conversion_keeps_weights_statistics_and_mode() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    model(torch.randn(8, 3, 5, 5))
    before, held = {name: value.clone() for name, value in model.state_dict().items()}, model[1].weight
    model[2].eval()
    converted = split_batch_norm(model, 2)
    assert isinstance(converted[1], SplitBatchNorm)
    assert isinstance(converted[2][0], SplitBatchNorm)
    assert converted[1].training
    assert not converted[2][0].training
    assert converted[1].weight is held
    assert converted.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in converted.state_dict().items())


def test_standardised_filters_do_not_see_shift_and_scale() -> None:
    layer, x = StandardisedConv2d(3, 4, 3).double(), torch.randn(2, 3, 6, 6).double()
    out = layer(x)
    with torch.no_grad():
        layer.weight.mul_(100).add_(7)
    torch.testing.assert_close(layer(x), out, rtol=1e-3, atol=1e-3)  # up to the 1e-5 added to the variance
    # one filter by hand
    w = layer.weight[0].detach()
    w = (w - w.mean()) / (w.var(correction=0) + 1e-5).sqrt()
    by_hand = (w * x[0, :, :3, :3]).sum() + layer.bias[0]
    torch.testing.assert_close(layer(x)[0, 0, 0, 0], by_hand)


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (2048, 32), (16, 8), (48, 24), (6, 3), (3, 1), (1, 1)])
def test_number_of_groups(channels: int, groups: int) -> None:
    assert num_groups(channels) == groups


def test_one_process_keeps_plain_batch_norm() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    assert type(sync_batch_norm(model)[0]) is nn.BatchNorm1d


def _run(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, and gradients with regard to input and weight of a loss that is not symmetric in the samples."""
    x = x.clone().requires_grad_()
    out = layer(x)
    (out.square() * x.detach().cos()).sum().backward()
    return out.detach(), x.grad, layer.weight.grad  # type: ignore[return-value]


def _make() -> nn.Sequential:
    bn = nn.BatchNorm2d(3)
    with torch.no_grad():
        bn.weight.copy_(torch.tensor([0.5, 1.5, 2.0]))
        bn.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    return nn.Sequential(bn, SplitBatchNorm(3, 2)).double()


def _process(rank: int, port: int, sizes: tuple[int, int], x: Tensor, results: dict) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = sync_batch_norm(_make())
    assert isinstance(model[0], SyncBatchNorm)
    assert type(model[1]) is SplitBatchNorm
    out, gradient, weight = _run(model[0], x.split(sizes)[rank])
    results[rank] = (out, gradient, weight, model[0].running_mean, model[0].running_var)
    dist.destroy_process_group()


@pytest.mark.parametrize("sizes", [(4, 4), (6, 2)])
def test_two_processes_normalise_as_one(sizes: tuple[int, int]) -> None:
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64) * 3 + 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mp.Manager() as manager:
        results = manager.dict()
        mp.spawn(_process, (port, sizes, x, results), nprocs=2)
        (out0, grad0, w0, mean, var), (out1, grad1, w1, _, _) = results[0], results[1]
    whole = _make()[0]
    out, gradient, weight = _run(whole, x)
    torch.testing.assert_close(torch.cat([out0, out1]), out)
    torch.testing.assert_close(torch.cat([grad0, grad1]), gradient)
    torch.testing.assert_close(w0 + w1, weight)
    torch.testing.assert_close(mean, whole.running_mean)
    torch.testing.assert_close(var, whole.running_var)


@pytest.mark.parametrize(("processes", "plain", "synchronised", "split"), [(1, 48, 48, 12), (2, 24, 48, 6)])
def test_how_many_images_share_their_statistics(processes, plain, synchronised, split, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.distributed.world_size", lambda: processes)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert images_per_batch_norm(net, 48) == plain
    assert images_per_batch_norm(nn.Sequential(SyncBatchNorm(4), nn.SyncBatchNorm(4)), 48) == synchronised
    assert images_per_batch_norm(split_batch_norm(net, 4), 48) == split
    assert images_per_batch_norm(nn.GroupNorm(2, 4), 48) is None


@pytest.mark.parametrize("kind", ["batch", "group", "none"])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_strided_convolution_has_its_gradients_in_bfloat16_however_small_the_map(kind: NormKind, side: int) -> None:
    """On one pixel oneDNN's own were infinite, or 1e9 where they are 0 (seen with AVX-512 BF16)."""
    for draw in range(4):
        torch.manual_seed(draw)
        layer = conv(kind, 16, 16, 3, stride=2)
        x = torch.randn(32, 16, side, side).to(memory_format=torch.channels_last)
        exact = copy.deepcopy(layer).double()
        weight = exact.weight
        if kind == "group":
            variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
            weight = (weight - mean) / (variance + 1e-5).sqrt()
        expected = F.conv2d(x.double(), weight, exact.bias, stride=2, padding=1)
        weights = torch.randn(expected.shape)
        (expected * weights).sum().backward()
        layer.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(x)
        (found.float() * weights).sum().backward()
        for name, parameter in exact.named_parameters():
            assert distance(layer.get_parameter(name).grad, parameter.grad) < 0.02, f"draw {draw}: {name}"
        assert distance(found, expected) < 0.02


@pytest.mark.parametrize("kind", ["batch", "group", "none"])
def test_a_strided_convolution_computes_no_more_of_one_pixel_than_its_middle_weights(kind: NormKind) -> None:
    """On every processor: the library is not asked for what it gets wrong."""
    layer, work = conv(kind, 16, 8, 3, stride=2), {}
    for side in (1, 2):  # both give a map of one pixel
        with FlopCounterMode(display=False) as counted:
            layer(torch.randn(4, 16, side, side))
        work[side] = counted.get_total_flops()
    assert work == {1: 2 * 4 * 16 * 8, 2: 9 * 2 * 4 * 16 * 8}


def distance(found: Tensor | None, expected: Tensor | None) -> float:
    """Of two tensors, as a share of the second's length."""
    assert found is not None
    assert expected is not None
    return float((found.detach().double() - expected.detach()).norm() / expected.detach().norm())
