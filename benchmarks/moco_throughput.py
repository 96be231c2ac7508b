"""Images a second of MoCo v2 pretraining on Fashion-MNIST at 32 pixels, beside lightly's documented loop in the same run.

    python benchmarks/moco_throughput.py [--folder FASHION_MNIST] --json benchmarks/results/moco_throughput.json

ResNet-18 with a small stem, batch 256, a queue of 4,096, two cores; several minutes. Ours is the Trainer as the pretrain
stage runs it (precision auto, resident data, monitors and history on), on shards packed for the occasion. Contestants have
processes of their own and take turns; every turn trains some steps untimed first. With ``--device cuda`` all of them train on
the GPU, and lightly's loader has the eight workers of the example.
"""

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, keep_cores, row
from benchmarks.contest import Runner, Segment, TimedTrainer, contest, paired
from benchmarks.devices import checked, device_of, device_option, gpu_of, result_name, settle
from pipelines.sources.fashion_mnist import DEBIAN
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST

SIZE, BATCH = 32, 256
WORKERS, CORES = {"cpu": 2, "cuda": 8}, {"cpu": 2, "cuda": 16}
FULL: dict[str, Any] = {"limit": None, "queue_size": 4096, "rounds": 3, "widths": {"16": [4, 20], "64": [2, 4]}}
ON_GPU: dict[str, Any] = {**FULL, "rounds": 5, "widths": {"16": [20, 100], "64": [20, 100]}}
QUICK: dict[str, Any] = {"limit": 3000, "queue_size": 1024, "rounds": 2, "widths": {"16": [1, 2]}}
TITLES = {
    "ours": "ours, precision auto",
    "lightly": "lightly, float32 (its default)",
    "ours_float32": "ours, float32",
    "lightly_bfloat16": "lightly, bfloat16 autocast",
}


def ours(shards: Path, out: Path, width: int, queue_size: int, precision: str, threads: int, device: str) -> Runner:
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
    timed = TimedTrainer(settle=partial(settle, device_of(device)))
    timed.trainer = trainer(spec, open_shards(shards), out, timed.stop)
    method = timed.trainer.method
    trained = sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad)
    used = str(autocast_dtype(training.precision, timed.trainer.device))
    told = {"parameters": trained, "precision": used, "device": str(timed.trainer.device)}
    return lambda warm, steps: {**timed(warm, steps), **told}


def theirs(
    files: Path, width: int, queue_size: int, threads: int, autocast: bool, limit: int | None, device: str
) -> Runner:
    """Turns of lightly's loop on the same images, from the data set's own files."""
    import numpy as np

    from benchmarks.lightly_moco import lightly_moco
    from pipelines.sources.idx import read_idx

    images = read_idx(files / "train-images-idx3-ubyte.gz", dimensions=3)[:limit]
    workers = WORKERS[device]
    return lightly_moco(np.asarray(images), width, SIZE, BATCH, queue_size, workers, threads, autocast, device)


def pack(files: Path, folder: Path, limit: int | None) -> Path:
    """Fashion-MNIST as shards."""
    from pipelines.sources.arrays import resident
    from pipelines.sources.base import open_source
    from pipelines.sources.shards import build_shards

    dataset = FashionMNIST(image_size=SIZE, limit=limit, folder=str(files))
    build_shards(open_source(dataset), dataset, folder)
    resident(folder, "train")  # decoded once, as after a data set's first job
    return folder


def makers_of(
    files: Path, folder: Path, width: int, setting: dict[str, Any], threads: int, device: str
) -> dict[str, tuple[Any, ...]]:
    """The four contestants at one width, as ``contest`` takes them: all on one device."""
    shards, queue_size, limit = folder / "shards", setting["queue_size"], setting["limit"]
    return {
        "ours": (ours, shards, folder / f"ours-{width}", width, queue_size, "auto", threads, device),
        "lightly": (theirs, files, width, queue_size, threads, False, limit, device),
        "ours_float32": (ours, shards, folder / f"float32-{width}", width, queue_size, "float32", threads, device),
        "lightly_bfloat16": (theirs, files, width, queue_size, threads, True, limit, device),
    }


def check_alike(turns: dict[str, list[Segment]], device: str) -> None:
    """AssertionError unless all contestants have as many parameters, and trained on the device that was asked for."""
    told = [turn for turns_of in turns.values() for turn in turns_of]
    sizes, places = {turn["parameters"] for turn in told}, {turn["device"] for turn in told}
    assert len(sizes) == 1, f"the networks differ: {sizes} parameters"
    assert places == {str(device_of(device))}, f"trained on {places}, and {device} was asked for"


def rows(width: int, turns: dict[str, list[Segment]], device: str) -> list[dict[str, Any]]:
    """Throughputs, their ratios round by round, and the share of views and data, which only a processor's clock can tell."""
    rates = {name: [BATCH / statistics.mean(turn["seconds"]) for turn in of] for name, of in turns.items()}
    where = f"width {width}"
    result = [
        row(f"{where}: {title}", statistics.median(rates[name]), "images/s") for name, title in TITLES.items()
    ]  # fmt: skip
    result += [
        row(f"{where}: ours over lightly's default", paired(rates["ours"], rates["lightly"]), "x", at_least=2.5),
        row(f"{where}: both float32", paired(rates["ours_float32"], rates["lightly"]), "x"),
        row(f"{where}: both bfloat16", paired(rates["ours"], rates["lightly_bfloat16"]), "x"),
    ]
    if device == "cpu":
        share = 100 * statistics.median(turn["views_share"] for turn in turns["ours"])
        result.append(row(f"{where}: views and data, share of our step", share, "%", at_most=5))
    return result


def setting_of(device: str, quick: bool) -> dict[str, Any]:
    """Rounds, widths and the steps of a turn."""
    return QUICK if quick else ON_GPU if device == "cuda" else FULL


def arguments() -> argparse.Namespace:
    parser = arguments_of(__doc__)
    device_option(parser)
    parser.add_argument("--rounds", type=int, help="turns of every contestant")
    parser.add_argument(
        "--folder", type=Path, default=DEBIAN, help=f"where the gzipped idx files are (default: {DEBIAN})"
    )
    return parser.parse_args()


def main() -> None:
    given = arguments()
    device, threads = checked(given.device), keep_cores(CORES[given.device])
    setting = {**setting_of(device, given.quick)}
    setting["rounds"] = given.rounds or setting["rounds"]
    sizes = {"image_size": SIZE, "batch_size": BATCH, "threads": threads, "loader_workers": WORKERS[device]}
    what = f"MoCo v2 on Fashion-MNIST at {SIZE} pixels, ResNet-18, batch {BATCH}, {threads} cores."
    packages, name = ("torch", "torchvision", "lightly"), result_name("moco_throughput", device)
    report = Report(name, what, packages, {**setting, **sizes}, given.quick, gpu_of(device))
    lines, raw = [], {}
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        pack(given.folder, folder / "shards", setting["limit"])
        for width in map(int, setting["widths"]):
            makers = makers_of(given.folder, folder, width, setting, threads, device)
            turns = contest(makers, setting["rounds"], *setting["widths"][str(width)])
            check_alike(turns, device)
            lines += rows(width, turns, device)
            raw[f"width {width}"] = turns
    report.finish(lines, raw, given.json)


if __name__ == "__main__":
    main()
