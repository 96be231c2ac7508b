"""How fast Fashion-MNIST is packed, read and fed, beside webdataset's own writer and reader in the same run.

    python benchmarks/shards.py --json benchmarks/results/shards.json

Single process unless a name says otherwise. Rates are images a second; the work is done once, on 70,000 images
(packing), 60,000 (reading), or for a few seconds (feeding).
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import webdataset

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from pipelines.files import sha256_file
from pipelines.sources.arrays import resident
from pipelines.sources.base import SPLITS, Source, open_source
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST

ORDER = Order(batch_size=256, seed=0)


def rate(images: int, work: Callable[[], object]) -> float:
    """Images a second of one run of ``work``."""
    start = time.perf_counter()
    work()
    return round(images / (time.perf_counter() - start), 1)


def write_with_webdataset(source: Source, folder: Path) -> None:
    """The same samples in the same format with ShardWriter; each finished shard hashed. Nothing is checked by decoding."""
    folder.mkdir()
    for split in SPLITS:
        pattern = str(folder / f"{split}-%06d.tar")
        with webdataset.ShardWriter(pattern, maxcount=5000, mtime=0, verbose=0) as writer:
            for sample in source.samples(split):
                writer.write({"__key__": sample.id, "png": sample.image, "cls": str(sample.label)})
        for tar in folder.glob(f"{split}-*.tar"):
            sha256_file(tar)


def read_with_webdataset(folder: Path, decode: bool) -> int:
    """All train samples, decoded with PIL to arrays or left as bytes; how many."""
    urls = [str(path) for path in sorted(folder.glob("train-*.tar"))]
    samples: Any = webdataset.WebDataset(urls, shardshuffle=False)
    return sum(1 for _ in (samples.decode("l8") if decode else samples))


def feed(batches: Iterator[Any], steps: int) -> None:
    for _ in islice(batches, steps):
        pass


def measure(folder: Path, steps: int) -> dict[str, float]:
    """All rates, in images a second."""
    dataset = FashionMNIST()
    source = open_source(dataset)
    ours, both = folder / "ours", folder / "ours_2"
    rates = {
        "write/ours": rate(70_000, lambda: build_shards(source, dataset, ours)),
        "write/ours_2_processes": rate(70_000, lambda: build_shards(source, dataset, both, workers=2)),
        "write/webdataset": rate(70_000, lambda: write_with_webdataset(source, folder / "webdataset")),
        "read/webdataset_bytes": rate(60_000, lambda: read_with_webdataset(ours, decode=False)),
        "read/webdataset_decoded": rate(60_000, lambda: read_with_webdataset(ours, decode=True)),
        "read/ours_verify_scan": rate(60_000, lambda: open_shards(ours).table("train")),
        "read/ours_resident_first": rate(60_000, lambda: resident(both, "train")),
        "read/ours_resident_again": rate(60_000, lambda: resident(both, "train").images.sum()),
    }
    shards, images = open_shards(ours), steps * ORDER.batch_size
    inside = Resident(resident(shards, "train"), ORDER)
    rates["feed/ours_resident"] = rate(images, lambda: feed(inside.epoch(0), steps))
    for workers in (0, 2):
        stream = Streaming(shards, ORDER, workers=workers)
        next(iter(stream.epoch(0)))  # workers start once a run
        rates[f"feed/ours_streaming_{workers}_workers"] = rate(images, lambda: feed(stream.epoch(1), steps))  # noqa: B023
        stream.close()
    return rates


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    steps = 20 if arguments.quick else 150
    torch.set_num_threads(1)
    what = "Fashion-MNIST, 28 x 28, PNG; one process unless a name says otherwise; every rate measured once."
    report = Report(
        "shards", what, ("torch", "webdataset"), {"feed_steps": steps, "batch_size": ORDER.batch_size}, arguments.quick
    )
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(Path(folder), steps)
    rows = [row(name.replace("/", ": ").replace("_", " "), rate, "images/s") for name, rate in rates.items()]
    report.finish(rows, {"images_per_second": rates}, arguments.json)


if __name__ == "__main__":
    main()
