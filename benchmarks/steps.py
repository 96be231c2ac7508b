"""Steps of six methods beside lightly's documented loops, and the share of ours that is not passes of the encoder.

    python benchmarks/steps.py --json benchmarks/results/steps.json
    python benchmarks/steps.py --device cuda --json benchmarks/results/steps_gpu.json

One process, one thread, images of 32 pixels: ours is the Trainer as stages run it, with the method's own training settings
and one reading of its monitors; lightly's is the example of its documentation with views made in the same process, once as
documented and once in bfloat16 with channels-last memory. The networks have as many parameters, to a hundredth. The fourth
contestant is our encoder alone: the very passes of two steps, forward and backward, on views that are ready. All take turns;
the time is the processor's, which others' load does not lengthen as it does the clock's.

On a GPU all contestants run there, the networks are wider, and lightly's views come from a DataLoader with eight workers, as
in its examples. The time is then the clock's, read when the GPU has done all that it was given.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks import lightly_loops
from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired
from benchmarks.devices import checked, device_of, device_option, gpu_of, result_name
from benchmarks.steppers import BARE, FAST, OURS, PEER, SIZE, Rate, Setting, ours, theirs
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.byol import Options as BYOL
from pipelines.spec.methods.dino import Options as DINO
from pipelines.spec.methods.mae import Options as MAE
from pipelines.spec.methods.moco import Options as MoCo
from pipelines.spec.methods.parts import Crops
from pipelines.spec.methods.simclr import Options as SimCLR
from pipelines.spec.methods.swav import Options as SwAV
from pipelines.training.memory import keep_freed_memory

PATCH, OUTPUTS, PROTOTYPES, QUEUE = 4, 4096, 512, 4096
DECODER = (128, 2, 4)
"""MAE's decoder: width, blocks, heads; small, as its encoder is."""
FULL = {
    "cpu": Setting(rounds=3, batch=128, steps=10, peer_steps=2),
    "cuda": Setting(rounds=5, batch=256, steps=100, peer_steps=50, width=64, warm=20, workers=8),
}
QUICK = {
    "cpu": Setting(rounds=1, batch=8, steps=2, peer_steps=1),
    "cuda": Setting(rounds=1, batch=8, steps=2, peer_steps=1, workers=1),
}


def vit() -> nn.Module:
    """timm's vision transformer of the size that our options call micro."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=SIZE, patch_size=PATCH, embed_dim=64, depth=4, num_heads=4, num_classes=0)


METHODS: dict[str, tuple[Any, Callable[[int], lightly_loops.Loop]]] = {
    "MoCo v2": (MoCo(queue_size=QUEUE), lambda width: lightly_loops.MoCo(width, SIZE, QUEUE)),
    "SimCLR": (SimCLR(), lambda width: lightly_loops.SimCLR(width, SIZE)),
    "BYOL": (BYOL(hidden=lightly_loops.HIDDEN), lambda width: lightly_loops.BYOL(width, SIZE)),
    "SwAV": (
        SwAV(prototypes=PROTOTYPES, frozen_epochs=0),
        lambda width: lightly_loops.SwAV(width, SIZE, PROTOTYPES),
    ),
    "DINO": (
        DINO(outputs=OUTPUTS, frozen_epochs=0, recipe="convnet", crops=Crops(local=lightly_loops.LOCAL)),
        lambda width: lightly_loops.DINO(width, SIZE, OUTPUTS),
    ),
    "MAE": (
        MAE(decoder_width=DECODER[0], decoder_depth=DECODER[1], decoder_heads=DECODER[2], norm_pix=False),
        lambda _: lightly_loops.MAE(vit(), SIZE, PATCH, DECODER),
    ),
}
"""Our options, and lightly's loop by the width of a ResNet."""


def encoder_of(method: str, width: int) -> ResNet | ViT:
    """Of a method: a ResNet-18, but for MAE."""
    if method == "MAE":
        return ViT(size="micro", patch=PATCH, position="sincos")
    return ResNet(depth=18, width=width, stem="small")


def parameters(network: nn.Module) -> int:
    """How many of them learn."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def contestants(name: str, setting: Setting, device: torch.device) -> dict[str, Rate]:
    """Ours, its encoder alone, and lightly's loop twice, of one method, all on one device."""
    options, peer = METHODS[name]
    arms, method = ours(options, encoder_of(name, setting.width), setting, device)
    loops = peer(setting.width), peer(setting.width)
    assert abs(parameters(method) / parameters(loops[0]) - 1) < 0.01, f"{name}: the networks differ in size"
    slow, fast = (theirs(loop, setting, fast, device) for loop, fast in zip(loops, (False, True), strict=True))
    return {**arms, PEER: slow, FAST: fast}


def rows(name: str, rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Images a second, ours over both of lightly's, and what of our step is not encoder passes."""
    found = [row(f"{name}: {who}", statistics.median(each), "images/s") for who, each in rates.items() if who != BARE]
    share = 100 * (1 - paired(rates[OURS], rates[BARE]))
    return [
        *found,
        row(f"{name}: ours over lightly as documented", paired(rates[OURS], rates[PEER]), "x"),
        row(f"{name}: ours over lightly, bfloat16, channels-last", paired(rates[OURS], rates[FAST]), "x"),
        row(f"{name}: share of our step that is not encoder passes", share, "%"),
    ]


def told(setting: Setting, device: str) -> str:
    """What the table says of the measurement."""
    clock = (
        "of one core's processor time" if device == "cpu" else f"by the clock, {setting.workers} workers for lightly"
    )
    return (
        f"ResNet-18 of width {setting.width} (MAE: a ViT of 4 blocks of width 64, patches of {PATCH}) at {SIZE} pixels, batch "
        f"{setting.batch}, images a second {clock}; medians of {setting.rounds} rounds, {setting.steps} steps of ours and "
        f"{setting.peer_steps} of lightly's each."
    )


def main() -> None:
    parser = arguments_of(__doc__)
    device_option(parser)
    arguments = parser.parse_args()
    device = checked(arguments.device)
    torch.set_num_threads(1)
    keep_freed_memory()  # as stages do; it serves both sides
    setting = (QUICK if arguments.quick else FULL)[device]
    settings = {"rounds": setting.rounds, "batch_size": setting.batch, "steps": setting.steps, "threads": 1}
    settings |= {"peer_steps": setting.peer_steps, "width": setting.width, "workers": setting.workers}
    packages, name = ("torch", "torchvision", "lightly"), result_name("steps", device)
    report = Report(name, told(setting, device), packages, settings, arguments.quick, gpu_of(device))
    found, raw = [], {}
    for method in METHODS:
        raw[method] = in_turn(contestants(method, setting, device_of(device)), setting.rounds)
        found += rows(method, raw[method])
        print(method, {who: round(statistics.median(each), 1) for who, each in raw[method].items()}, flush=True)
    report.finish(found, raw, arguments.json)


if __name__ == "__main__":
    main()
