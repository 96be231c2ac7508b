"""What frozen protocols cost in memory on many features, which are mapped from a file: the slope over two sizes.

    python benchmarks/large_features.py --json benchmarks/results/large_features.json

Rows of 2,048 random numbers go through ``gathered``, as those of an encoder do, into a mapped file; then kNN and the linear
probe measure them. Every number is of a fresh process. Memory is its peak without mapped files (RssAnon of the kernel), which
is what cannot be given back, above that before the work; the file itself is cached as far as there is room.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from pipelines.evaluation import features, knn, linear
from pipelines.evaluation.features import Features, gathered
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear

IMAGENET, WIDTH, CLASSES, QUERIES, MORE, TEST = 1_281_167, 2048, 1000, 1000, 3000, 50_000
"""Rows of ImageNet's train, their width, classes, the test rows measured, more of them for kNN's slope, and ImageNet's."""
HELD_OUT = 0.01


def anonymous() -> int:
    """Bytes of this process that belong to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Peak:
    """The highest ``anonymous`` while a context lasts, looked at every few milliseconds, above that at its beginning."""

    def __enter__(self) -> "Peak":
        self.start = self.highest = anonymous()
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()
        return self

    def _watch(self) -> None:
        while not self.over.wait(0.005):
            self.highest = max(self.highest, anonymous())

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.watcher.join()

    @property
    def mib(self) -> float:
        """Above the beginning."""
        return (self.highest - self.start) / 2**20


def parts(count: int) -> Iterator[torch.Tensor]:
    """Batches of random rows."""
    draw = torch.Generator().manual_seed(0)
    for first in range(0, count, 256):
        yield torch.randn(min(256, count - first), WIDTH, generator=draw)


def measured(count: int, scratch: Path) -> dict[str, float]:
    """Run in a process of its own: peak memory in MiB and seconds of every step on so many rows."""
    features.IN_MEMORY = 0  # map them, few or many
    found: dict[str, float] = {}

    def step(name: str, work: Callable[[], object]) -> object:
        start = time.perf_counter()
        with Peak() as peak:
            result = work()
        found.update({f"{name}_mib": peak.mib, f"{name}_s": time.perf_counter() - start})
        return result

    train = step("gather", lambda: gathered(parts(count), torch.ones(count, dtype=torch.bool), scratch))
    assert isinstance(train, torch.Tensor)
    label, held = torch.arange(count) % CLASSES, torch.arange(0, count, int(1 / HELD_OUT))

    def with_queries(number: int) -> Features:
        test = torch.randn(number, WIDTH)
        return Features(train, label, held, test, torch.arange(number) % CLASSES, CLASSES)

    given, more = with_queries(QUERIES), with_queries(MORE)
    step("check", given.check)
    step("knn", lambda: knn.measure(Knn(k=200), given))
    step("queries", lambda: knn.measure(Knn(k=200), more))
    options = Linear(epochs=1, least_steps=1, lrs=(1.0, 3.0))
    step("linear", lambda: linear.measure(options, given, torch.Generator().manual_seed(0)))
    return found


def main() -> None:
    if "--measure" in sys.argv:
        count, scratch = sys.argv[sys.argv.index("--measure") + 1 :]
        print(json.dumps(measured(int(count), Path(scratch))))
        return
    arguments = arguments_of(__doc__).parse_args()
    sizes = [2_000, 4_000] if arguments.quick else [64_000, 128_000]
    what = (
        f"{sizes} rows of {WIDTH} float32, {CLASSES} classes, {QUERIES} test rows (kNN {MORE}, too), k 200, two rates, one "
        "epoch; a fresh process each, peak without mapped files, above that before the step, where the test rows are."
    )
    settings = {"sizes": sizes, "width": WIDTH, "classes": CLASSES, "queries": [QUERIES, MORE], "held_out": HELD_OUT}
    report = Report("large_features", what, ("torch", "scikit-learn"), settings, arguments.quick)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            command = [sys.executable, __file__, "--measure", str(size), scratch]
            found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    rows = [row(f"the file, {sizes[-1]:,} rows", 4 * WIDTH * sizes[-1] / 2**20, "MiB")]
    for name, words in (
        ("gather", "embed into the file"),
        ("check", "check"),
        ("knn", "kNN"),
        ("linear", "linear probe"),
    ):
        few, many = (each[f"{name}_mib"] for each in found)
        slope = (many - few) / (sizes[-1] - sizes[0])
        rows.append(row(f"{words}: peak memory, {sizes[-1]:,} rows", many, "MiB"))
        whole = many + max(0.0, slope) * (IMAGENET - sizes[-1])
        rows.append(row(f"{words}: by the slope, 1.28 million rows", whole, "MiB", at_most=2048))
    a_query = (found[-1]["queries_mib"] - found[-1]["knn_mib"]) / (MORE - QUERIES)
    a_row = (found[-1]["queries_mib"] - found[0]["queries_mib"]) / (sizes[-1] - sizes[0])
    whole = found[-1]["queries_mib"] + max(0.0, a_query) * (TEST - MORE) + max(0.0, a_row) * (IMAGENET - sizes[-1])
    rows.append(row(f"kNN: peak memory, {sizes[-1]:,} rows, {MORE:,} queries", found[-1]["queries_mib"], "MiB"))
    rows.append(row(f"kNN: by both slopes, 1.28 million rows, {TEST:,} queries", whole, "MiB", at_most=2048))
    report.finish(rows, {"measured": found}, arguments.json)


if __name__ == "__main__":
    main()
