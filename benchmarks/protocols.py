"""What the frozen protocols of the quickstart cost an encoder, beside one pass of its images through it.

    python benchmarks/protocols.py --json benchmarks/results/protocols.json

The encoder is the quickstart's at step 0, since trained weights cost the same. ``python -m pipelines evaluate`` measures it
by all protocols of the study in this process, records and predictions written; the pass alone reads the same shards and
embeds train and test. Both take turns, after a turn that does not count. Times are those of one thread on the processor:
on an idle machine they pass on the clock too, and others' work on a busy one is not in them.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT, Report, arguments_of, row
from benchmarks.contest import in_turn
from pipelines.building.devices import chosen_device
from pipelines.building.features import embedded, source_of
from pipelines.sources.reader import open_shards
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, Untrained
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs
from pipelines.stages import evaluate, shards

FACTOR, SECONDS = 1.5, 5.0
"""The bound on all protocols together: so many passes, and so much besides."""


def one_encoder(jobs: list[Job]) -> list[Job]:
    """The jobs of the first untrained encoder of a plan: one for every protocol on frozen features."""
    found = [job for job in jobs if isinstance(job.spec, EvaluateSpec) and isinstance(job.spec.source, Untrained)]
    first = found[0].spec
    assert isinstance(first, EvaluateSpec)
    return [job for job in found if (job.spec.source, job.spec.seed) == (first.source, first.seed)]  # type: ignore[attr-defined]


def processor_seconds(work: Callable[[], object]) -> float:
    """Of this process, in one run of ``work``."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    rounds = 1 if arguments.quick else 5
    torch.set_num_threads(1)
    plan = plan_file(ROOT / "experiments" / "quickstart.yaml")
    jobs = one_encoder(plan.of("evaluate"))
    names = [job.spec.evaluation.use for job in jobs]  # type: ignore[attr-defined]
    what = f"The quickstart's encoder on digits, one thread; {' and '.join(names)}; medians of {rounds} rounds."
    report = Report("protocols", what, ("torch", "scikit-learn"), {"rounds": rounds}, arguments.quick)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        results = Path(folder)
        write_specs(plan, results)
        packed = plan.of("shards")[0].folder(results)
        shards.run(packed)
        spec = jobs[0].spec
        assert isinstance(spec, EvaluateSpec)

        def all_protocols() -> float:
            folders = [job.folder(results) for job in jobs]
            for each in folders:
                (each / "record.json").unlink(missing_ok=True)
            took = processor_seconds(lambda: evaluate.run(folders))
            assert all((each / "record.json").exists() for each in folders), "a protocol failed"
            return took

        def embedding() -> float:
            found = open_shards(packed)
            return processor_seconds(lambda: embedded(source_of(spec, found, None), found, chosen_device()))

        took = in_turn({"protocols": all_protocols, "embedding": embedding}, rounds)
    shares = [whole / (FACTOR * one + SECONDS) for whole, one in zip(took["protocols"], took["embedding"])]
    rows = [
        row("one embedding pass", statistics.median(took["embedding"]), "s"),
        row(f"all {len(jobs)} protocols, the pass in it", statistics.median(took["protocols"]), "s"),
        row(f"share of {FACTOR} passes + {SECONDS:g} s", 100 * statistics.median(shares), "%", at_most=100),
    ]
    report.finish(rows, {"seconds": took}, arguments.json)


if __name__ == "__main__":
    main()
