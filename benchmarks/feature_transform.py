"""What feature transformation adds to a whole MoCo v2 step with a queue of 65,536 keys of 128 numbers.

    python benchmarks/feature_transform.py --json benchmarks/results/feature_transform.json

ResNet-18 with a small stem on 32-pixel images, batch 256, two cores. Images are random bytes: the cost does not depend on
what they show, and no small data set is larger than this queue. With and without take turns, a few steps each.
"""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, keep_cores, row
from benchmarks.contest import Runner, Segment, TimedTrainer, contest, paired

SIZE, BATCH, CORES = 32, 256, 2
FULL: dict[str, Any] = {"queue_size": 65536, "rounds": 12, "widths": {"16": [1, 8], "64": [1, 3]}}
QUICK: dict[str, Any] = {"queue_size": 65536, "rounds": 2, "widths": {"16": [1, 2]}}


class RandomBytes:
    """The same batch over and over, grey (size, 1, SIZE, SIZE)."""

    steps_per_epoch = 1000
    reading = "resident"

    def __init__(self, size: int = BATCH, device: str = "cpu") -> None:
        import torch

        from pipelines.batch import Batch

        images = torch.randint(
            256, (size, 1, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        )
        index = torch.arange(size, device=device)
        self.batch = Batch(images=images.to(device), index=index, label=torch.zeros_like(index))

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Any]:
        """One epoch of it."""
        for _ in range(first_step, self.steps_per_epoch):
            yield self.batch


def moco(width: int, queue_size: int, transformed: bool, threads: int) -> Runner:
    """Turns of MoCo v2 by the Trainer, with the paper's feature transformation or without."""
    import torch

    from pipelines.building.methods import fresh_method
    from pipelines.methods.base import DataFacts
    from pipelines.spec.encoders.resnet import Options as ResNet
    from pipelines.spec.methods.moco import Options
    from pipelines.spec.methods.parts import FeatureTransform
    from pipelines.spec.training import Training
    from pipelines.training.loop import Trainer
    from pipelines.training.memory import keep_freed_memory
    from pipelines.views.maker import ViewMaker

    torch.set_num_threads(threads)
    keep_freed_memory()  # as stages do
    options = Options(queue_size=queue_size, feature_transform=FeatureTransform() if transformed else None)
    encoder, facts = ResNet(depth=18, width=width, stem="small"), DataFacts(10**6, num_classes=1, image_size=SIZE)
    timed = TimedTrainer()
    timed.trainer = Trainer(
        method=fresh_method(options, encoder, facts, seed=0),
        data=RandomBytes(),
        make_views=ViewMaker(options.default_views(SIZE), SIZE, [0.5], [0.25]),
        training=Training(batch_size=BATCH),
        seed=0,
        device=torch.device("cpu"),
        stop=timed.stop,
    )
    return timed


def measure(width: int, setting: dict[str, Any], threads: int) -> dict[str, list[Segment]]:
    """All turns with and without at one width."""
    warm, steps = setting["widths"][str(width)]
    makers = {name: (moco, width, setting["queue_size"], name == "with", threads) for name in ("without", "with")}
    return contest(makers, setting["rounds"], warm, steps)


def rows(width: int, turns: dict[str, list[Segment]]) -> list[dict[str, Any]]:
    """Milliseconds a step, and the cost: the ratio of neighbouring turns' median steps."""
    steps = {name: [statistics.median(turn["seconds"]) for turn in of] for name, of in turns.items()}
    cost = 100 * (paired(steps["with"], steps["without"]) - 1)
    return [
        *(row(f"width {width}: step {name}", 1000 * statistics.median(of), "ms") for name, of in steps.items()),
        row(f"width {width}: feature transformation adds", cost, "%", at_most=3),
    ]


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    threads = keep_cores(CORES)
    setting = QUICK if arguments.quick else FULL
    settings = {**setting, "image_size": SIZE, "batch_size": BATCH, "threads": threads}
    what = (
        f"MoCo v2 with a queue of {setting['queue_size']:,}, ResNet-18, batch {BATCH}, {SIZE} pixels, {threads} cores."
    )
    report = Report("feature_transform", what, ("torch",), settings, arguments.quick)
    lines, raw = [], {}
    for width in map(int, setting["widths"]):
        raw[f"width {width}"] = measure(width, setting, threads)
        lines += rows(width, raw[f"width {width}"])
    report.finish(lines, raw, arguments.json)


if __name__ == "__main__":
    main()
