"""Which setting fine-tunes a tenth of the labels: candidates of experiments/transfer.yaml, judged on held-out images alone.

    python benchmarks/finetuning.py RESULTS --first

RESULTS holds the study's shards and pretrainings. A candidate is trained from some of the encoders (seed 0) on a tenth of the
labels of each target, drawn from the images outside the held-out slice, and names the held-out ones. Test is never read. What
was found is in docs/protocols.md.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT
from pipelines.building.devices import chosen_device
from pipelines.building.subject import Subject
from pipelines.building.workbench import JobBench
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.labelled import evaluation_seed, few_labels
from pipelines.evaluation.mixed import Mixed
from pipelines.randomness import seed_for
from pipelines.spec.evaluation.finetune import Options
from pipelines.spec.folder import open_job, ready
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_spec

ENCODERS = ("untrained", "supervised", "moco_v2-", "byol")
TARGETS = ("digits", "mnist_5k")
SHARED = {"label_share": 0.1, "flip": 0.0, "crop": (0.5, 1.0)}


@dataclass(frozen=True)
class Candidate:
    """What is tried, as a study would write it."""

    epochs: int
    batch_size: int
    optimizer: str
    lr_per_256: float

    @property
    def options(self) -> Options:
        """adamw takes the rate as it is, sgd by the size of its batch."""
        scaling = "none" if self.optimizer == "adamw" else "linear"
        given = {"epochs": self.epochs, "batch_size": self.batch_size, "optimizer": self.optimizer}
        return Options(**SHARED, **given, lr_per_256=self.lr_per_256, lr_scaling=scaling)  # type: ignore[arg-type]


FIRST = (
    Candidate(5, 256, "sgd", 0.02),  # what the study had
    *(Candidate(20, 32, "sgd", rate) for rate in (0.1, 0.3, 1.0)),
    *(Candidate(20, 32, "adamw", rate) for rate in (3e-4, 1e-3, 3e-3)),
)


def benches(results: Path) -> Iterator[tuple[str, str, JobBench]]:
    """Encoder, target and workbench of every fine-tuning that is asked about."""
    for job in plan_file(ROOT / "experiments" / "transfer.yaml").of("evaluate"):
        spec, name = job.spec, next((each for each in ENCODERS if job.key.startswith(each)), None)
        if not (name and isinstance(spec, EvaluateSpec) and isinstance(spec.evaluation, Options) and spec.seed == 0):
            continue
        if spec.dataset.short_name in TARGETS:
            yield name.strip("-"), spec.dataset.short_name, _bench(job, results)


def _bench(job: Job, results: Path) -> JobBench:
    write_spec(job, results)
    return JobBench.of(Subject.of(ready(open_job(job.folder(results), EvaluateSpec))))


def on_holdout(bench: JobBench, options: Options) -> float:
    """top1 on the held-out images, of which none is learnt from."""
    label = bench.train_label.copy()
    label[bench.holdout] = -1
    rows = few_labels(label, bench.num_classes, options.amount, evaluation_seed(bench.seed))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(seed_for(bench.seed, "classifier"))
        base = bench.base(0)
        classifier = Mixed(base.encoder, base.head, base.width, bench.num_classes)
        replace(bench, subject=replace(bench.subject, out=Path(folder))).fit(classifier, options, rows)
    with evaluating(classifier), torch.no_grad():
        named = torch.cat([classifier.logits(images).argmax(1).cpu() for images in bench.whole(bench.holdout)])
    return float(np.mean(named.numpy() == bench.train_label[bench.holdout]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="results folder of experiments/transfer.yaml")
    parser.add_argument("--first", action="store_true", help="optimizers and rates at 20 epochs")
    parser.add_argument("--epochs", type=int, nargs="+", default=[], help="other epochs for --optimizer and --rate")
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--rate", type=float, default=1e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"device: {chosen_device()}; top1 in percent on held-out images", flush=True)
    found = list(benches(arguments.results))
    others = tuple(Candidate(epochs, 32, arguments.optimizer, arguments.rate) for epochs in arguments.epochs)
    for one in (*(FIRST if arguments.first else ()), *others):
        start = time.process_time()
        tops = {(name, target): 100 * on_holdout(bench, one.options) for name, target, bench in found}
        each = ", ".join(f"{name} on {target} {value:.1f}" for (name, target), value in tops.items())
        print(
            f"{one}: mean {statistics.mean(tops.values()):.1f} ({time.process_time() - start:.0f} CPU s): {each}",
            flush=True,
        )


if __name__ == "__main__":
    main()
