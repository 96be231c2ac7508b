"""The model card of an exported encoder: what it is, how to load it, what it was trained on and what it scored."""

from typing import Any

from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.timm import Options as Timm
from pipelines.spec.encoders.vit import SIZES
from pipelines.spec.encoders.vit import Options as ViT

LOAD = 'model.load_state_dict(load_file("model.safetensors"))'
IMPORT = "from safetensors.torch import load_file"
STEM = "model.conv1, model.maxpool = torch.nn.Conv2d({channels}, 64, 3, 1, 1, bias=False), torch.nn.Identity()"
"""The stem for small images, in place of the one that torchvision and timm build."""
FIRST = "model.conv1 = torch.nn.Conv2d({channels}, 64, 7, 2, 3, bias=False)"
"""The large stem of other channels than three, which torchvision has no argument for."""
PATCHES = "model.conv_proj = torch.nn.Conv2d({channels}, {width}, {patch}, {patch})"
"""The same of its vision transformers."""


def loading(encoder: EncoderOptions, side: int, names: str, channels: int = 3) -> dict[str, list[str]]:
    """Library -> lines that build the encoder there and load model.safetensors strictly; nothing where it has none.

    side: pixels of the images, of so many channels. names: whose names the weights bear, timm's or torchvision's.
    """
    other, chans = channels != 3, f", in_chans={channels}" * (channels != 3)
    match encoder:
        case ResNet(width=64, norm="batch") if encoder.depth != 10:
            name, small = f"resnet{encoder.depth}", [STEM.format(channels=channels)] if encoder.stem == "small" else []
            timms = [f'model = timm.create_model("{name}", num_classes=0{chans})', *small]
            first = small or [FIRST.format(channels=channels)] * other
            theirs = [f"model = torchvision.models.{name}()", "model.fc = torch.nn.Identity()", *first]
            return {"timm": [*timms, LOAD], "torchvision": [*theirs, LOAD]}
        case ViT() if names == "torchvision":
            width, depth, heads = SIZES[encoder.size]
            sizes = f"{side}, {encoder.patch}, {depth}, {encoder.heads or heads}, {width}, {4 * width}"
            made = [f"model = torchvision.models.VisionTransformer({sizes})", "model.heads = torch.nn.Identity()"]
            made += [PATCHES.format(channels=channels, width=width, patch=encoder.patch)] * other
            return {"torchvision": [*made, LOAD]} if encoder.pool == "token" else {}
        case ViT():
            width, depth, heads = SIZES[encoder.size]
            sizes = f"embed_dim={width}, depth={depth}, num_heads={encoder.heads or heads}, patch_size={encoder.patch}"
            pool = "" if encoder.pool == "token" else ', global_pool="avg", fc_norm=False'
            line = f'model = timm.create_model("vit_small_patch16_224", {sizes}, img_size={side}{pool}, num_classes=0{chans})'
            return {"timm": [line, LOAD]}
        case Timm():
            return {"timm": [f'model = timm.create_model("{encoder.name}", num_classes=0{chans})', LOAD]}
    return {}


def card(config: dict[str, Any], encoder: EncoderOptions) -> str:
    """README.md of an export, from what config.json says."""
    side, names = config["image_size"], config["names"]
    lines = [
        f"# {encoder.short_name}, {config['method']['use']} on {config['dataset']}",
        "",
        f"An encoder pretrained with {config['method']['use']} on {config['dataset']}, seed {config['seed']}, for "
        f"{config['training']['epochs']} epochs. It gives {config['width']} numbers an image.",
        f"It takes {_images(config)} of {side} x {side} pixels with values in [0, 1], from which the mean {config['mean']} is "
        f"taken and which are divided by the standard deviation {config['std']}.{_read(config)}",
        "",
    ]
    for library, code in loading(encoder, side, names, config["in_channels"]).items():
        lines += [
            f"With {library}:",
            "",
            "```python",
            f"import torch, {library}",
            IMPORT,
            *code,
            "model.eval()",
            "```",
            "",
        ]
    lines += [
        "In a study of this project, as a row of its tables and as a start:",
        "",
        "```yaml",
        "encoders: {exported: {use: checkpoint, path: FOLDER}}   # this folder",
        "methods: [{use: moco, start: {path: FOLDER}}]",
        "```",
        "",
        "## Numbers",
        "",
        *([f"- {name} {value:.4g}" for name, value in config["numbers"].items()] or ["None were measured."]),
        "",
        "Each is of this one seed, on the test split; a study's report has the seeds, intervals and floors beside it.",
        "",
        f"Made at commit {config['commit']}{' with changes' if config['dirty'] else ''}, job {config['key']}. "
        f"SHA-256 of model.safetensors: {config['sha256']}.",
    ]
    return "\n".join(lines) + "\n"


def _images(config: dict[str, Any]) -> str:
    return f"images of {config['in_channels']} channels" if "reading" in config else "RGB images"


def _read(config: dict[str, Any]) -> str:
    """How files become such values."""
    if "reading" not in config:
        return " Grey images become three equal channels."
    ranges = config["reading"].get("value_range")
    taken = f"the stored values {ranges}" if ranges else "the whole range of 8 or 16 bits"
    return f" Between 0 and 1 lie {taken}, a pair for all channels or one for each, in steps of 1/255."
