"""How fast Fashion-MNIST is packed, read and fed, beside webdataset's own writer and reader in the same run.

    python benchmarks/shards.py [--folder FASHION_MNIST] --json benchmarks/results/shards.json

Single process unless a name says otherwise, one thread. Every round packs all images anew, reads what it packed and feeds
some batches from it; rates are images a second.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired, seconds
from pipelines.files import sha256_file
from pipelines.sources.arrays import resident
from pipelines.sources.base import SPLITS, Sample, Source, open_source
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.sources.tars import members, write_tar
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST

ORDER = Order(batch_size=256, seed=0)
FEW = 5000
"""Images of one shard."""
Feed = Resident | Streaming


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


def tar_by_ours(samples: list[Sample], path: Path) -> None:
    """One tar, as packing writes it; nothing is looked at."""
    write_tar(path, ((sample.id, sample) for sample in samples))


def tar_by_webdataset(samples: list[Sample], path: Path) -> None:
    """The same members with TarWriter. It sorts them by name, so that the image comes after its class."""
    with webdataset.TarWriter(str(path), mtime=0, encoder=False) as writer:
        for sample in samples:
            writer.write({"__key__": sample.id, **dict(members(sample))})


def read_with_webdataset(folder: Path, decode: bool) -> int:
    """All train samples, decoded with PIL to arrays or left as bytes; how many."""
    urls = [str(path) for path in sorted(folder.glob("train-*.tar"))]
    samples: Any = webdataset.WebDataset(urls, shardshuffle=False)
    return sum(1 for _ in (samples.decode("l8") if decode else samples))


def fed(data: Feed, steps: int) -> float:
    """Seconds for so many batches, after one that starts the workers."""
    epoch: Iterator[Any] = data.epoch(0)
    next(epoch)
    done: list[Any] = []
    took = seconds(lambda: done.extend(len(batch) for batch in islice(epoch, steps)))
    assert len(done) == steps, "an epoch has to be longer than what is timed"
    return took


def works(source: Source, dataset: FashionMNIST, folder: Path, steps: int) -> dict[str, Callable[[], float]]:
    """Images a second of everything, in the order it is done: a round reads what it has just packed."""
    ours, both, theirs = (folder / name for name in ("ours", "ours_2", "webdataset"))
    train = len(source.train)
    every, images = train + len(source.test), steps * ORDER.batch_size

    def rate(count: int, work: Callable[[], object]) -> Callable[[], float]:
        return lambda: count / seconds(work)

    def packing(target: Path, pack: Callable[[Path], object]) -> Callable[[], float]:
        def work() -> float:
            shutil.rmtree(target, ignore_errors=True)
            return every / seconds(lambda: pack(target))

        return work

    def streaming(workers: int) -> float:
        data = Streaming(open_shards(ours), ORDER, workers=workers)
        took = fed(data, steps)
        data.close()
        return images / took

    few = [source.train.read(row) for row in range(min(train, FEW))]
    return {
        "tar alone: ours": rate(len(few), lambda: tar_by_ours(few, folder / "one.tar")),
        "tar alone: webdataset": rate(len(few), lambda: tar_by_webdataset(few, folder / "other.tar")),
        "write: ours": packing(ours, lambda target: build_shards(source, dataset, target)),
        "write: ours, 2 processes": packing(both, lambda target: build_shards(source, dataset, target, workers=2)),
        "write: webdataset": packing(theirs, lambda target: write_with_webdataset(source, target)),
        "read: webdataset, bytes": rate(train, lambda: read_with_webdataset(ours, decode=False)),
        "read: webdataset, decoded": rate(train, lambda: read_with_webdataset(ours, decode=True)),
        "read: ours, checked and listed": rate(train, lambda: open_shards(ours).table("train")),
        "read: ours, into memory the first time": rate(train, lambda: resident(open_shards(both), "train")),
        "read: ours, into memory again": rate(train, lambda: resident(open_shards(both), "train").images.sum()),
        "feed: ours, from memory": lambda: images / fed(Resident(resident(open_shards(ours), "train"), ORDER), steps),
        "feed: ours, streaming": lambda: streaming(0),
        "feed: ours, streaming, 2 workers": lambda: streaming(2),
    }


def main() -> None:
    parser = arguments_of(__doc__)
    parser.add_argument("--folder", help="where the four idx files are (default: where the data set is looked for)")
    arguments = parser.parse_args()
    rounds, steps, most = (1, 4, 1500) if arguments.quick else (3, 150, None)
    torch.set_num_threads(1)
    what = f"Fashion-MNIST, 28 x 28, PNG; one process unless a name says otherwise; medians of {rounds} rounds."
    settings = {"rounds": rounds, "feed_steps": steps, "batch_size": ORDER.batch_size, "most_images": most}
    report = Report("shards", what, ("torch", "webdataset"), settings, arguments.quick)
    dataset = FashionMNIST(folder=arguments.folder)
    found = open_source(dataset)
    some = [found.split(name).take(np.arange(len(found.split(name)))[:most]) for name in SPLITS]
    with tempfile.TemporaryDirectory() as folder:
        rates = in_turn(works(Source(found.classes, *some), dataset, Path(folder), steps), rounds, warm=0)
    rows = [row(name, statistics.median(of), "images/s") for name, of in rates.items()]
    alone = paired(rates["tar alone: ours"], rates["tar alone: webdataset"])
    rows.append(row("tar alone: ours over webdataset's TarWriter", alone, "x", at_least=2))
    report.finish(rows, {"images_per_second": rates}, arguments.json)


if __name__ == "__main__":
    main()
