"""The own ResNet: equal to torchvision's with the same weights, and its widths, stems and normalisations."""

import inspect

import pytest
import torch
import torchvision
from torch import nn

from pipelines.encoders.norms import SplitBatchNorm, split_batch_norm
from pipelines.encoders.resnet import NARROW, BasicBlock, Bottleneck, NarrowShortcut, ResNet
from pipelines.spec.encoders.resnet import Options


@pytest.mark.parametrize("depth", [18, 50])
def test_equals_torchvision_with_its_weights(depth: int) -> None:
    peer = getattr(torchvision.models, f"resnet{depth}")(num_classes=1)
    state = {name: value for name, value in peer.state_dict().items() if not name.startswith("fc.")}
    for name, value in state.items():  # values that tell every layer from every other
        if "bn" in name or "downsample.1" in name:
            value += 0.1 * torch.rand(value.shape) if value.is_floating_point() else 0
    peer.load_state_dict({**peer.state_dict(), **state})
    own = ResNet(depth)
    own.load_state_dict(state, strict=True)
    peer.fc = nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(own.eval()(x), peer.eval()(x))
    torch.testing.assert_close(own.train()(x), peer.train()(x))
    torch.testing.assert_close(own.layer4[0].bn1.running_var, peer.layer4[0].bn1.running_var)


@pytest.mark.parametrize("depth", [10, 34, 101, 152])
def test_depth_counts_the_layers(depth: int) -> None:
    with torch.device("meta"):
        model = ResNet(depth)
    main = [name for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and "downsample" not in name]
    assert len(main) + 1 == depth  # and the classifier


@pytest.mark.parametrize(("depth", "expansion"), [(10, 1), (50, 4)])
def test_widths_and_maps(depth: int, expansion: int) -> None:
    model = ResNet(depth, width=8, stem="small", in_channels=2)
    maps = model.feature_maps(torch.randn(2, 2, 32, 32))
    assert model.width == 64 * expansion
    assert [tuple(m.shape) for m in maps] == [(2, 8 * 2**i * expansion, 32 >> i, 32 >> i) for i in range(4)]
    assert model.map_widths == tuple(m.shape[1] for m in maps)
    model.eval()
    x = torch.randn(2, 2, 32, 32)
    torch.testing.assert_close(model(x), model.feature_maps(x)[-1].mean((2, 3)))


def test_large_stem_quarters_the_side() -> None:
    assert ResNet(10, width=8).feature_maps(torch.randn(2, 3, 64, 64))[0].shape[-1] == 16


@pytest.mark.parametrize("kind", ["batch", "group", "none"])
@pytest.mark.parametrize(("depth", "block"), [(10, BasicBlock), (50, Bottleneck)])
def test_zero_init_starts_blocks_as_their_shortcut(kind: str, depth: int, block: type) -> None:
    model = ResNet(depth, width=8, stem="small", kind=kind, zero_init=True)  # type: ignore[arg-type]
    for module in [m for m in model.modules() if isinstance(m, block)]:
        x = torch.randn(2, module.conv1.in_channels, 4, 4)
        shortcut = x if module.downsample is None else module.downsample(x)
        torch.testing.assert_close(module(x), shortcut.relu())
    other = ResNet(depth, width=8, kind=kind, zero_init=False)  # type: ignore[arg-type]
    assert all(m.last()[0].weight.any() for m in other.modules() if isinstance(m, block))
    assert all(m.last()[1].weight.any() for m in other.modules() if isinstance(m, block) and kind != "none")


def test_unless_asked_blocks_start_as_torchvisions_do() -> None:
    """Branches that start at zero leave an untrained encoder little more than its stem: too low a floor to beat."""
    peer = inspect.signature(torchvision.models.ResNet).parameters["zero_init_residual"].default
    assert inspect.signature(ResNet).parameters["zero_init"].default is Options().zero_init is peer is False
    assert all((m.weight == 1).all() for m in ResNet(10, width=8).modules() if isinstance(m, nn.BatchNorm2d))


@pytest.mark.parametrize("kind", ["group", "none"])
def test_without_batch_norm_samples_do_not_meet(kind: str) -> None:
    model = ResNet(18, width=8, stem="small", kind=kind, zero_init=False)  # type: ignore[arg-type]
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(model(x)[:2], model(x[:2]), rtol=1e-4, atol=1e-4)
    assert not any("running" in name for name in model.state_dict())


def test_channels_last_and_split_norm_agree_with_plain() -> None:
    model = ResNet(10, width=8, stem="small")
    x = torch.randn(8, 3, 16, 16)
    expected = model(x)
    torch.testing.assert_close(split_batch_norm(model, 1)(x), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(model.layer1[0].bn1, SplitBatchNorm)
    last = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("depth", [10, 50])
@pytest.mark.parametrize("width", [1, 4, 8, 16])
def test_no_strided_1x1_convolution_has_few_channels(depth: int, width: int) -> None:
    """oneDNN's damage the memory of the process in their backward pass."""
    convolutions = [module for module in ResNet(depth, width=width).modules() if isinstance(module, nn.Conv2d)]
    strided = [each for each in convolutions if each.kernel_size == (1, 1) and each.stride != (1, 1)]
    assert all(each.in_channels >= NARROW for each in strided)
    assert len(strided) + sum(isinstance(each, NarrowShortcut) for each in ResNet(depth, width=width).modules()) == 3


def test_a_narrow_shortcut_is_the_strided_convolution() -> None:
    narrow = ResNet(10, width=4, stem="small").layer2[0].downsample
    plain = nn.Sequential(nn.Conv2d(4, 8, 1, 2, bias=False), nn.BatchNorm2d(8))
    assert isinstance(narrow, NarrowShortcut)
    plain.load_state_dict(narrow.state_dict())
    x = torch.randn(4, 4, 7, 8)
    torch.testing.assert_close(narrow(x), plain(x))
