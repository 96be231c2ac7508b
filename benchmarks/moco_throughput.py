"""Images a second of MoCo v2 pretraining on Fashion-MNIST at 32 pixels, beside lightly's documented loop in the same run.

    python benchmarks/moco_throughput.py [--folder FASHION_MNIST] --json benchmarks/results/moco_throughput.json

ResNet-18 with a small stem, batch 256, a queue of 4,096, two cores; several minutes. Ours is the Trainer as the pretrain
stage runs it (precision auto, resident data, monitors and history on), on shards packed for the occasion. Contestants have
processes of their own and take turns; every turn trains some steps untimed first.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, keep_cores, row
from benchmarks.contest import Runner, Segment, TimedTrainer, contest, paired
from pipelines.sources.fashion_mnist import DEBIAN
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST

SIZE, BATCH, WORKERS, CORES = 32, 256, 2, 2
FULL: dict[str, Any] = {"limit": None, "queue_size": 4096, "rounds": 3, "widths": {"16": [4, 20], "64": [2, 4]}}
QUICK: dict[str, Any] = {"limit": 3000, "queue_size": 1024, "rounds": 2, "widths": {"16": [1, 2]}}
TITLES = {
    "ours": "ours, precision auto",
    "lightly": "lightly, float32 (its default)",
    "ours_float32": "ours, float32",
    "lightly_bfloat16": "lightly, bfloat16 autocast",
}


def ours(shards: Path, out: Path, width: int, queue_size: int, precision: str, threads: int) -> Runner:
    """Turns of a Trainer as the pretrain stage makes it; each goes on from the checkpoint of the one before."""
    import torch

    from pipelines.building.pretraining import trainer
    from pipelines.sources.reader import open_shards
    from pipelines.spec.encoders.resnet import Options as ResNet
    from pipelines.spec.jobs import PretrainSpec
    from pipelines.spec.methods.moco import Options
    from pipelines.spec.training import Training
    from pipelines.training.precision import autocast_dtype

    torch.set_num_threads(threads)
    options = Options(queue_size=queue_size)
    training = Training.model_validate(
        {"batch_size": BATCH, "precision": precision, "data": "resident", "checkpoint_minutes": 1000.0}
    )
    spec = PretrainSpec(
        method=options,
        encoder=ResNet(depth=18, width=width, stem="small"),
        training=training,
        views=options.default_views(SIZE),
        dataset=FashionMNIST(image_size=SIZE),
        seed=0,
    )
    timed = TimedTrainer()
    timed.trainer = trainer(spec, open_shards(shards), out, timed.stop)
    method = timed.trainer.method
    trained = sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad)
    used = str(autocast_dtype(training.precision, timed.trainer.device))
    return lambda warm, steps: {**timed(warm, steps), "parameters": trained, "precision": used}


def theirs(files: Path, width: int, queue_size: int, threads: int, autocast: bool, limit: int | None) -> Runner:
    """Turns of lightly's loop on the same images, from the data set's own files."""
    import numpy as np

    from benchmarks.lightly_moco import lightly_moco
    from pipelines.sources.idx import read_idx

    images = read_idx(files / "train-images-idx3-ubyte.gz", dimensions=3)[:limit]
    return lightly_moco(np.asarray(images), width, SIZE, BATCH, queue_size, WORKERS, threads, autocast)


def pack(files: Path, folder: Path, limit: int | None) -> Path:
    """Fashion-MNIST as shards."""
    from pipelines.sources.arrays import resident
    from pipelines.sources.base import open_source
    from pipelines.sources.shards import build_shards

    dataset = FashionMNIST(image_size=SIZE, limit=limit, folder=str(files))
    build_shards(open_source(dataset), dataset, folder)
    resident(folder, "train")  # decoded once, as after a data set's first job
    return folder


def measure(files: Path, folder: Path, width: int, setting: dict[str, Any], threads: int) -> dict[str, list[Segment]]:
    """All turns of the four contestants at one width."""
    shards, queue_size, limit = folder / "shards", setting["queue_size"], setting["limit"]
    warm, steps = setting["widths"][str(width)]
    makers = {
        "ours": (ours, shards, folder / f"ours-{width}", width, queue_size, "auto", threads),
        "lightly": (theirs, files, width, queue_size, threads, False, limit),
        "ours_float32": (ours, shards, folder / f"float32-{width}", width, queue_size, "float32", threads),
        "lightly_bfloat16": (theirs, files, width, queue_size, threads, True, limit),
    }
    turns = contest(makers, setting["rounds"], warm, steps)
    sizes = {turn["parameters"] for turns_of in turns.values() for turn in turns_of}
    assert len(sizes) == 1, f"the networks differ: {sizes} parameters"
    return turns


def rows(width: int, turns: dict[str, list[Segment]]) -> list[dict[str, Any]]:
    """Throughputs, their ratios round by round, and the share of views and data."""
    rates = {name: [BATCH / statistics.mean(turn["seconds"]) for turn in of] for name, of in turns.items()}
    where = f"width {width}"
    result = [
        row(f"{where}: {title}", statistics.median(rates[name]), "images/s") for name, title in TITLES.items()
    ]  # fmt: skip
    share = 100 * statistics.median(turn["views_share"] for turn in turns["ours"])
    return [
        *result,
        row(f"{where}: ours over lightly's default", paired(rates["ours"], rates["lightly"]), "x", at_least=2.5),
        row(f"{where}: both float32", paired(rates["ours_float32"], rates["lightly"]), "x"),
        row(f"{where}: both bfloat16", paired(rates["ours"], rates["lightly_bfloat16"]), "x"),
        row(f"{where}: views and data, share of our step", share, "%", at_most=5),
    ]


def main() -> None:
    parser = arguments_of(__doc__)
    parser.add_argument("--rounds", type=int, help="turns of every contestant")
    parser.add_argument(
        "--folder", type=Path, default=DEBIAN, help=f"where the gzipped idx files are (default: {DEBIAN})"
    )
    arguments = parser.parse_args()
    threads = keep_cores(CORES)
    setting = {**(QUICK if arguments.quick else FULL)}
    setting["rounds"] = arguments.rounds or setting["rounds"]
    settings = {**setting, "image_size": SIZE, "batch_size": BATCH, "threads": threads, "loader_workers": WORKERS}
    packages = ("torch", "torchvision", "lightly")
    what = f"MoCo v2 on Fashion-MNIST at {SIZE} pixels, ResNet-18, batch {BATCH}, {threads} cores."
    report = Report("moco_throughput", what, packages, settings, arguments.quick)
    lines, raw = [], {}
    with tempfile.TemporaryDirectory() as name:
        pack(arguments.folder, Path(name) / "shards", setting["limit"])
        for width in map(int, setting["widths"]):
            turns = measure(arguments.folder, Path(name), width, setting, threads)
            lines += rows(width, turns)
            raw[f"width {width}"] = turns
    report.finish(lines, raw, arguments.json)


if __name__ == "__main__":
    main()
