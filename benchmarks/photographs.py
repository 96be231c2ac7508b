"""Photographs to views on one core: the streaming loader beside torchvision's v2 and lightly in a DataLoader, same JPEGs.

    python benchmarks/photographs.py --json benchmarks/results/photographs.json

Two crops of 224 pixels by MoCo v2's recipe, and SwAV's two of 224 with six of 96. All read in the process that counts (no
workers), one thread, and take turns; the time is the processor's, which others' load does not lengthen as it does the
clock's. Beside a GPU, which changes colours itself, the cores cut crops and no more: ours and torchvision's for that have
rows of their own. torchvision changes PIL pictures or tensors; ours is compared with the faster one of each round. The
pictures are made here, with the pixels and the bytes of ImageNet's.
"""

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired
from benchmarks.decoding import FINE, picture
from benchmarks.loader_peers import (
    MEAN,
    SIDE,
    STD,
    Decode,
    Pictures,
    Transform,
    all_views,
    as_pil,
    as_tensor,
    by_lightly,
    place_of,
    view_of,
)
from pipelines.sources.base import open_source
from pipelines.sources.loader import Streaming
from pipelines.sources.order import Order
from pipelines.sources.pixels import simplejpeg
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.methods.moco import Options as MoCo
from pipelines.spec.methods.swav import Options as SwAV
from pipelines.spec.views import Views
from pipelines.training.memory import keep_freed_memory
from pipelines.views.crops import cutter
from pipelines.views.maker import ViewMaker

HEIGHT, WIDTH = 375, 500
RECIPES = {
    "2 x 224": (MoCo().default_views(SIDE), 1.5),
    "2 x 224 + 6 x 96": (SwAV().default_views(SIDE), 2.0),
}
"""What is made, and how many times as fast as torchvision it is meant to be."""
H100 = (2500, 3500)
"""Images a second that a ResNet-50 on an H100 is estimated to take, at least and at most."""
CORES = 16
CUT, WHOLE = "ours, crops alone", "ours"
PEER_CUT, PIL, TENSORS = "torchvision v2, crops and flips alone", "torchvision v2, PIL", "torchvision v2, tensors"
LIGHTLY = "lightly"
Rate = Callable[[], float]


def packed(pictures: list[bytes], folder: Path) -> ShardSet:
    """The pictures as shards; the first two are its test split, too, since there has to be one."""
    files = [("train", number, data) for number, data in enumerate(pictures)]
    files += [("test", number, data) for number, data in enumerate(pictures[:2])]
    for part, number, data in files:
        place = folder / "files" / part / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(data)
    dataset = ImageFolder(name="photographs", folder=str(folder / "files"), image_size=SIDE, holdout=0.0)
    build_shards(open_source(dataset), dataset, folder / "shards")
    return open_shards(folder / "shards")


def rate(work: Callable[[], int]) -> Rate:
    """Images a second of the processor; ``work`` says how many it made."""

    def measured() -> float:
        start = time.process_time()
        return work() / (time.process_time() - start)

    return measured


def contestants(pictures: list[bytes], shards: ShardSet, recipe: Views) -> dict[str, Rate]:
    """The ways to the views of a recipe, an epoch of all pictures each."""
    order = Order(batch_size=len(pictures), seed=0)
    data = Streaming(shards, order, cut=cutter(recipe, SIDE), workers=0)
    make = ViewMaker(recipe, SIDE, MEAN, STD)

    def cut() -> int:
        return sum(len(batch) for batch in data.epoch(0))

    def whole() -> int:
        return sum(len(make(batch, torch.Generator())[0]) for batch in data.epoch(0))

    def peer(decode: Decode, transform: Transform) -> Rate:
        loader = DataLoader(Pictures(pictures, decode, transform), len(pictures))
        return rate(lambda: sum(len(views[0]) for views in loader))

    return {
        CUT: rate(cut),
        PEER_CUT: peer(as_tensor, all_views(recipe, place_of)),
        WHOLE: rate(whole),
        PIL: peer(as_pil, all_views(recipe, view_of)),
        TENSORS: peer(as_tensor, all_views(recipe, view_of)),
        LIGHTLY: peer(as_pil, by_lightly(recipe)),
    }


def rows(name: str, target: float, rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Rates, what ours gains, and what 16 cores would feed an H100 with."""
    faster = [max(pair) for pair in zip(rates[PIL], rates[TENSORS], strict=True)]
    found = [row(f"{name}: {way}", statistics.median(each), "images/s") for way, each in rates.items()]
    found += [
        row(f"{name}: ours over the faster torchvision v2", paired(rates[WHOLE], faster), "x", at_least=target),
        row(f"{name}: ours over lightly", paired(rates[WHOLE], rates[LIGHTLY]), "x"),
        row(f"{name}: crops alone, ours over torchvision v2", paired(rates[CUT], rates[PEER_CUT]), "x"),
    ]
    for way in (CUT, WHOLE):
        fed = CORES * statistics.median(rates[way])
        found.append(row(f"{name}: {way}, times {CORES} cores", fed, "images/s"))
        found += [row(f"{name}: that, of {need:,} images/s", 100 * fed / need, "%", at_least=100) for need in H100]
    return found


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    warnings.filterwarnings("ignore", message=".*decoding.*")  # torchvision's is to go
    torch.set_num_threads(1)
    keep_freed_memory()  # as stages do; it serves all
    rounds, count = (1, 4) if arguments.quick else (7, 32)
    what = (
        f"{count} JPEG of {WIDTH} x {HEIGHT} pixels and 110 KB, images a second of one core's processor time; medians of "
        f"{rounds} rounds; what is said of several cores is a product, not measured."
    )
    settings = {"rounds": rounds, "pictures": count, "threads": 1}
    packages = ("torch", "torchvision", "lightly", "pillow", *(["simplejpeg"] if simplejpeg else []))
    report = Report("photographs", what, packages, settings, arguments.quick)
    pictures = [picture(HEIGHT, WIDTH, seed, FINE) for seed in range(count)]
    found, raw = [], {"bytes": [len(data) for data in pictures]}
    with tempfile.TemporaryDirectory() as name:
        shards = packed(pictures, Path(name))
        for recipe, (views, target) in RECIPES.items():
            raw[recipe] = in_turn(contestants(pictures, shards, views), rounds)
            found += rows(recipe, target, raw[recipe])
    report.finish(found, raw, arguments.json)


if __name__ == "__main__":
    main()
