"""Every kind of encoder from its spec: one interface, no heavy import that was not asked for."""

import subprocess
import sys

import pytest
import timm
import torch

from pipelines.encoders import build_encoder
from pipelines.encoders.alexnet import AlexNet
from pipelines.errors import InputError
from pipelines.spec.encoders import alexnet, resnet, vit
from pipelines.spec.encoders import timm as timm_spec
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.vit import SIZES

KINDS = [
    (resnet.Options(depth=10, width=8, stem="small"), 32, 64),
    (resnet.Options(depth=50, width=4, norm="group"), 64, 128),
    (resnet.Options(depth=18, width=8, stem="small", norm="none", zero_init=False), 32, 64),
    (vit.Options(size="micro", patch=8, pool="mean", position="sincos", drop_path=0.1), 32, 64),
    (vit.Options(size="micro", patch=8, heads=8), 32, 64),
    (alexnet.Options(share=0.1), 64, 410),
    (timm_spec.Options(name="resnet10t"), 64, 512),
    (timm_spec.Options(name="mobilenetv3_small_050"), 64, 1024),
    (timm_spec.Options(name="vit_tiny_patch16_224"), 32, 192),
]


@pytest.mark.parametrize("in_channels", [3, 2])
@pytest.mark.parametrize(("options", "size", "width"), KINDS, ids=lambda value: getattr(value, "use", str(value)))
def test_interface(options: EncoderOptions, size: int, width: int, in_channels: int) -> None:
    model = build_encoder(options, size, in_channels)
    x = torch.randn(4, in_channels, size, size)
    features, maps = model(x), model.feature_maps(x)
    assert features.shape == (4, width)
    assert model.width == width
    assert options.feature_width in (width, None if options.use == "timm" else width)
    assert features.isfinite().all()
    assert features.std(0).mean() > 0
    assert tuple(m.shape[1] for m in maps) == model.map_widths
    assert all(m.dim() == 4 and len(m) == 4 for m in maps)
    features.square().sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused


def test_published_sizes() -> None:
    with torch.device("meta"):
        for size, name in [("tiny", "vit_tiny"), ("small", "vit_small"), ("base", "vit_base"), ("large", "vit_large")]:
            own = build_encoder(vit.Options(size=size, patch=16), 224)  # type: ignore[arg-type]
            peer = timm.create_model(f"{name}_patch16_224", num_classes=0)
            assert {k: v.shape for k, v in own.state_dict().items()} == {
                k: v.shape for k, v in peer.state_dict().items()
            }
            assert peer.blocks[0].attn.num_heads == SIZES[size][2]


def test_heads_and_drop_path_reach_the_blocks() -> None:
    model = build_encoder(vit.Options(size="small", patch=16, heads=12, drop_path=0.1), 32)
    assert {block.attn.heads for block in model.blocks} == {12}  # type: ignore[union-attr]
    assert model.blocks[-1].drop.p == 0.1  # type: ignore[index]


def test_alexnet_widths_and_least_size() -> None:
    with torch.device("meta"):
        half, whole = AlexNet(0.5), AlexNet()
    assert half.map_widths == (48, 128, 192, 192, 128)
    assert half.width == 2048
    assert whole.map_widths == (96, 256, 384, 384, 256)
    assert whole.width == 4096
    assert whole.side == 6
    assert whole.fc6[0].in_features == 9216
    small = AlexNet(0.1, image_size=63)
    assert small.side == 1
    assert small(torch.randn(2, 3, 96, 96)).shape == (2, 410)
    with pytest.raises(InputError, match="at least 63 pixels, these have 62"):
        AlexNet(image_size=62)


def test_unknown_timm_name_is_refused_with_near_names() -> None:
    with pytest.raises(InputError, match=r"no model 'resnet5O'; near: .*resnet50"):
        build_encoder(timm_spec.Options(name="resnet5O"), 64)


def test_own_encoders_import_neither_torchvision_nor_timm() -> None:
    code = (
        "import sys; from pipelines.encoders import build_encoder; from pipelines.spec.encoders import alexnet, resnet, vit\n"
        "small = (resnet.Options(width=8), vit.Options(size='micro'), alexnet.Options(share=0.1))\n"
        "[build_encoder(options, 64) for options in small]\n"
        "print([m for m in ('torchvision', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
