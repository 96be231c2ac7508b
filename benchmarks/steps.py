"""Steps of six methods beside lightly's documented loops, and the share of ours that is not passes of the encoder.

    python benchmarks/steps.py --json benchmarks/results/steps.json

One process, one thread, images of 32 pixels: ours is the Trainer as stages run it, with the method's own training settings
and one reading of its monitors; lightly's is the example of its documentation with views made in the same process, once as
documented and once in bfloat16 with channels-last memory. The networks have as many parameters, to a hundredth. The fourth
contestant is our encoder alone: the very passes of two steps, forward and backward, on views that are ready. All take turns;
the time is the processor's, which others' load does not lengthen as it does the clock's.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks import lightly_loops
from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import TimedTrainer, in_turn, paired
from benchmarks.passes import Passes, SameImages
from benchmarks.views import images_of
from pipelines.building.methods import fresh_method
from pipelines.methods.base import DataFacts
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.byol import Options as BYOL
from pipelines.spec.methods.dino import Options as DINO
from pipelines.spec.methods.mae import Options as MAE
from pipelines.spec.methods.moco import Options as MoCo
from pipelines.spec.methods.parts import Crops
from pipelines.spec.methods.simclr import Options as SimCLR
from pipelines.spec.methods.swav import Options as SwAV
from pipelines.spec.resolve import with_defaults
from pipelines.training.loop import Trainer
from pipelines.training.memory import keep_freed_memory
from pipelines.training.precision import autocast_dtype
from pipelines.views.maker import ViewMaker

SIZE, WIDTH, PATCH, OUTPUTS, PROTOTYPES, QUEUE = 32, 16, 4, 4096, 512, 4096
DECODER = (128, 2, 4)
"""MAE's decoder: width, blocks, heads; small, as its encoder is."""
CPU = torch.device("cpu")
CONVOLUTIONS = ResNet(depth=18, width=WIDTH, stem="small")
OURS, PEER, FAST, BARE = "ours", "lightly as documented", "lightly, bfloat16, channels-last", "encoder passes alone"
Rate = Callable[[], float]


def vit() -> nn.Module:
    """timm's vision transformer of the size that our options call micro."""
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=SIZE, patch_size=PATCH, embed_dim=64, depth=4, num_heads=4, num_classes=0)


METHODS: dict[str, tuple[Any, Any, Callable[[], lightly_loops.Loop]]] = {
    "MoCo v2": (MoCo(queue_size=QUEUE), CONVOLUTIONS, lambda: lightly_loops.MoCo(WIDTH, SIZE, QUEUE)),
    "SimCLR": (SimCLR(), CONVOLUTIONS, lambda: lightly_loops.SimCLR(WIDTH, SIZE)),
    "BYOL": (BYOL(hidden=lightly_loops.HIDDEN), CONVOLUTIONS, lambda: lightly_loops.BYOL(WIDTH, SIZE)),
    "SwAV": (
        SwAV(prototypes=PROTOTYPES, frozen_epochs=0),
        CONVOLUTIONS,
        lambda: lightly_loops.SwAV(WIDTH, SIZE, PROTOTYPES),
    ),
    "DINO": (
        DINO(outputs=OUTPUTS, frozen_epochs=0, recipe="convnet", crops=Crops(local=lightly_loops.LOCAL)),
        CONVOLUTIONS,
        lambda: lightly_loops.DINO(WIDTH, SIZE, OUTPUTS),
    ),
    "MAE": (
        MAE(decoder_width=DECODER[0], decoder_depth=DECODER[1], decoder_heads=DECODER[2], norm_pix=False),
        ViT(size="micro", patch=PATCH, position="sincos"),
        lambda: lightly_loops.MAE(vit(), SIZE, PATCH, DECODER),
    ),
}


def rate(work: Callable[[], object], images: int) -> Rate:
    """Images a second of the processor."""

    def measured() -> float:
        start = time.process_time()
        work()
        return images / (time.process_time() - start)

    return measured


def ours(options: Any, encoder: Any, batch: int, steps: int) -> tuple[dict[str, Rate], int]:
    """The Trainer's steps, begun anew each time and the first not counted, and the encoder passes of two; its parameters."""
    timed, training = TimedTrainer(time.process_time), with_defaults({"batch_size": batch}, options, "")
    timed.trainer = Trainer(
        method=fresh_method(options, encoder, DataFacts(10**6, num_classes=1, image_size=SIZE), seed=0),
        data=SameImages(images_of(batch, 3, SIZE)),
        make_views=ViewMaker(options.default_views(SIZE), SIZE, [0.5], [0.25]),
        training=training,
        seed=0,
        device=CPU,
        stop=timed.stop,
    )
    passes = Passes(timed.trainer.method, autocast_dtype(training.precision, CPU))
    with passes.noted():
        timed(1, 1)
    arms = {
        OURS: lambda: batch / statistics.mean(timed(1, steps)["seconds"]),
        BARE: rate(passes.again, 2 * batch),
    }
    return arms, parameters(timed.trainer.method)


def theirs(loop: lightly_loops.Loop, batch: int, steps: int, fast: bool) -> Rate:
    """Steps of the documented loop, views included; fast: bfloat16 and channels-last memory."""
    from torchvision.transforms.v2.functional import to_pil_image

    if fast:
        loop.to(memory_format=torch.channels_last)
    optimizer = loop.optimizer()
    pictures = [to_pil_image(image) for image in images_of(batch, 3, SIZE)]

    def step() -> None:
        views = [torch.stack(view) for view in zip(*(loop.transform(picture) for picture in pictures), strict=True)]
        if fast:
            views = [view.to(memory_format=torch.channels_last) for view in views]
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            loss = loop.loss(views)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return rate(lambda: [step() for _ in range(steps)], steps * batch)


def parameters(network: nn.Module) -> int:
    """How many of them learn."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def contestants(name: str, batch: int, steps: int, peer_steps: int) -> dict[str, Rate]:
    """Ours, its encoder alone, and lightly's loop twice, of one method."""
    options, encoder, peer = METHODS[name]
    arms, learnt = ours(options, encoder, batch, steps)
    loops = peer(), peer()
    assert abs(learnt / parameters(loops[0]) - 1) < 0.01, f"{name}: the networks differ in size"
    slow, fast = (theirs(loop, batch, peer_steps, fast) for loop, fast in zip(loops, (False, True), strict=True))
    return {**arms, PEER: slow, FAST: fast}


def rows(name: str, rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Images a second of the processor, ours over both of lightly's, and what of our step is not encoder passes."""
    found = [row(f"{name}: {who}", statistics.median(each), "images/s") for who, each in rates.items() if who != BARE]
    share = 100 * (1 - paired(rates[OURS], rates[BARE]))
    return [
        *found,
        row(f"{name}: ours over lightly as documented", paired(rates[OURS], rates[PEER]), "x"),
        row(f"{name}: ours over lightly, bfloat16, channels-last", paired(rates[OURS], rates[FAST]), "x"),
        row(f"{name}: share of our step that is not encoder passes", share, "%"),
    ]


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as stages do; it serves both sides
    rounds, batch, steps, peer_steps = (1, 8, 2, 1) if arguments.quick else (3, 128, 10, 2)
    what = (
        f"ResNet-18 of width {WIDTH} (MAE: a ViT of 4 blocks of width 64, patches of {PATCH}) at {SIZE} pixels, batch {batch}, "
        f"images a second of one core's processor time; medians of {rounds} rounds, {steps} steps of ours and {peer_steps} of "
        "lightly's each."
    )
    settings = {"rounds": rounds, "batch_size": batch, "steps": steps, "peer_steps": peer_steps, "threads": 1}
    report = Report("steps", what, ("torch", "torchvision", "lightly"), settings, arguments.quick)
    found, raw = [], {}
    for name in METHODS:
        raw[name] = in_turn(contestants(name, batch, steps, peer_steps), rounds)
        found += rows(name, raw[name])
        print(name, {who: round(statistics.median(each), 1) for who, each in raw[name].items()}, flush=True)
    report.finish(found, raw, arguments.json)


if __name__ == "__main__":
    main()
