"""What a large data set costs a process before it trains: memory for each image, and seconds to the first batch.

    python benchmarks/large_sets.py --json benchmarks/results/large_sets.json

Shards of small pictures with an index like that of packing: a small set, and one with as many images as ImageNet's train
split. ImageNet's pictures are larger, its table is not. Every number is of a fresh process. Memory is what the main process
grows by (RSS), and what one worker has to itself (USS).
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from pipelines.files import sha256_file
from pipelines.sources.base import Sample
from pipelines.sources.checked import remember
from pipelines.sources.images import encode_png
from pipelines.sources.index import Index, Shard, save_index
from pipelines.sources.table import places_file, save_table, table_of
from pipelines.sources.tars import write_tar

IMAGENET = 1_281_167
HELD_OUT, PER_SHARD, BATCH, WORKERS = 0.1, 5000, 256, 2
WAYS = ("random", "sequential")


def samples(first: int, count: int) -> Iterator[tuple[str, Sample]]:
    """Pictures of one colour with names as long as ImageNet's."""
    for number in range(first, first + count):
        image = np.full((8, 8, 3), number % 256, np.uint8)
        key = f"{number:08d}-train_n{number % 1000:08d}_n{number % 1000:08d}_{number:06d}_JPEG"
        yield key, Sample(key, encode_png(image), "png", number % 1000)


def packed(folder: Path, count: int) -> None:
    """A finished folder of shards, but for what only packing looks at."""
    folder.mkdir()
    shards = []
    for first in range(0, count, PER_SHARD):
        path = folder / f"train-{first // PER_SHARD:06d}.tar"
        inside = write_tar(path, samples(first, min(PER_SHARD, count - first)))
        shard = Shard(name=path.name, sha256=sha256_file(path), bytes=path.stat().st_size, count=len(inside))
        save_table(places_file(folder, shard), table_of(inside))
        shards.append(shard)
    held_out = np.sort(np.random.default_rng(0).choice(count, int(count * HELD_OUT), replace=False))
    save_index(
        folder,
        Index(
            dataset="large", spec={}, classes=tuple(f"class {number}" for number in range(1000)), image_size=8, uniform=True,
            channels=3, splits={"train": tuple(shards), "test": ()}, holdout=tuple(held_out.tolist()), mean=(0.5,) * 3,
            std=(0.25,) * 3, fields={}, field_channels={}, captions=False, unreadable=(),
        ),
    )  # fmt: skip
    remember(folder, {shard.name: shard.sha256 for shard in shards})


def first_batch(folder: Path, way: str) -> dict[str, float]:
    """Run in a process of its own: seconds from a folder to its first batch, and the memory it took; imports are over."""
    from pipelines.sources.loader import Streaming
    from pipelines.sources.order import Order
    from pipelines.sources.reader import open_shards
    from pipelines.sources.sequential import Sequential
    from pipelines.spec.reading import Reading

    this = psutil.Process()
    before, start = this.memory_info().rss, time.perf_counter()
    shards, order = open_shards(folder), Order(batch_size=BATCH, seed=0)
    rows, reading = shards.pretraining, Reading(order="sequential")
    data = (
        Streaming(shards, order, subset=rows, workers=WORKERS)
        if way == "random"
        else Sequential(shards, order, reading, subset=rows, workers=WORKERS)
    )
    ready = time.perf_counter()
    epoch = data.epoch(0)
    next(epoch)
    done = time.perf_counter()
    main, workers = this.memory_info().rss, [child.memory_full_info().uss for child in this.children()]
    data.close()
    return {"open": ready - start, "first": done - ready, "main": main - before, "worker": statistics.mean(workers)}


def measured(folder: Path, way: str) -> dict[str, float]:
    """``first_batch`` in a fresh process."""
    command = [sys.executable, __file__, "--measure", str(folder), way]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def slope(sizes: list[int], values: list[float]) -> float:
    """What ImageNet's images add, by the line between the smaller and the larger set."""
    return (values[-1] - values[0]) / (sizes[-1] - sizes[0]) * IMAGENET


def main() -> None:
    if "--measure" in sys.argv:
        folder, way = sys.argv[sys.argv.index("--measure") + 1 :]
        print(json.dumps(first_batch(Path(folder), way)))
        return
    arguments = arguments_of(__doc__).parse_args()
    sizes, repeats = ([5_000, 10_000], 1) if arguments.quick else ([16_000, IMAGENET], 3)
    what = f"{sizes} pictures of 8 x 8 in tars of {PER_SHARD}; {repeats} fresh processes each: median memory, least seconds."
    settings = {"sizes": sizes, "repeats": repeats, "workers": WORKERS, "batch_size": BATCH, "held_out": HELD_OUT}
    report = Report("large_sets", what, ("torch", "numpy", "webdataset"), settings, arguments.quick)
    rows, raw = [], {}
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root) / str(size) for size in sizes]
        for folder, size in zip(folders, sizes):
            packed(folder, size)
        listing = [measured(folder, "random")["open"] for folder in folders]
        rows.append(row(f"list the samples, once a data set, {sizes[-1]:,} images", listing[-1], "s"))
        raw["listing"] = listing
        for way in WAYS:
            found = [[measured(folder, way) for _ in range(repeats)] for folder in folders]
            raw[way] = found
            medians: dict[str, Any] = {
                name: [statistics.median(each[name] for each in of) for of in found] for name in found[0][0]
            }
            starts = [min(each["open"] + each["first"] for each in of) for of in found]
            for size, start in zip(sizes, starts):
                rows.append(row(f"{way}: to the first batch, {size:,} images", start, "s", at_most=10))
            for name, most in (("main", 400), ("worker", 200)):
                grown = slope(sizes, medians[name]) / 2**20
                rows.append(row(f"{way}: memory of a {name} process, 1.28 million add", grown, "MiB", at_most=most))
    report.finish(rows, raw, arguments.json)


if __name__ == "__main__":
    main()
