"""Time to accuracy on CIFAR-10: from the packed images to the measured encoder, by the commands that a study runs.

    python benchmarks/time_to_accuracy.py --device cuda --json benchmarks/results/time_to_accuracy.json

For a GPU: SimCLR for 200 epochs, judged by kNN, and MoCo v2 with the settings of solo-learn's table, judged by a linear probe.
With --quick a minute's training on digits, on any machine: it shows that the commands run.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT, Report, arguments_of, row
from benchmarks.devices import checked, device_option, gpu_of
from pipelines.records import read_record
from pipelines.spec.job import Job
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs

STUDY = """\
question: How long does it take to reach an accuracy?
dataset: {use: cifar10, folder: FOLDER, holdout: 0.02}
encoder: {use: resnet, depth: 18, stem: small}
methods:
  - {recipe: simclr/cifar_solo_learn, label: simclr, training: {epochs: 200}}
  - {recipe: moco_v2/cifar_solo_learn, label: moco_v2}
seeds: [0]
evaluation: [{use: knn, k: 200, temperature: 0.1}, {use: linear}]
floors: false
"""
QUICK = """\
question: Do the commands run?
dataset: {use: digits, limit: 200}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr, label: simclr}]
training: {epochs: 1, batch_size: 32}
seeds: [0]
evaluation: [{use: knn, k: 5}]
floors: false
"""
GOALS = {("simclr", "knn"): (84.8, 10), ("moco_v2", "linear"): (92.9, 60)}
"""(method, protocol) -> per cent to reach, in how many minutes on one H100."""


def run(job: Job, results: Path) -> float:
    """Seconds of a job by its command, its start included."""
    start = time.perf_counter()
    line = [sys.executable, "-m", "pipelines", job.spec.stage, "--job", str(job.folder(results))]
    subprocess.run(line, cwd=ROOT, check=True)
    return time.perf_counter() - start


def measure(text: str, results: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Pack, train and evaluate every method; minutes of training, per cent of every protocol."""
    study = results / "study.yaml"
    study.write_text(text)
    plan = plan_file(study)
    write_specs(plan, results)
    rows: list[dict[str, Any]] = []
    raw = {job.key: run(job, results) for stage in ("shards", "pretrain", "evaluate") for job in plan.of(stage)}
    for job in plan.of("pretrain"):
        label = plan.labels[job.place]
        within = {method: minutes for (method, _), (_, minutes) in GOALS.items()}.get(label)
        rows.append(row(f"{label}: training", raw[job.key] / 60, "min", at_most=within))
        speed = read_record(job.folder(results)).images_per_second or 0.0
        rows.append(row(f"{label}: while it trains", speed, "images/s"))
    for job in plan.of("evaluate"):
        label, protocol = plan.labels[job.place], job.spec.model_dump()["evaluation"]["use"]
        goal = GOALS.get((label, protocol), (None, None))[0]
        reached = 100 * read_record(job.folder(results)).metrics["test/top1"]
        rows.append(row(f"{label}: {protocol}", reached, "%", at_least=goal))
    return rows, raw


def main() -> None:
    """Run the study in a folder of its own."""
    parser = arguments_of(__doc__)
    device_option(parser)
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of CIFAR-10 (default: data)")
    arguments = parser.parse_args()
    device = checked(arguments.device)
    if device == "cpu" and not arguments.quick:
        raise SystemExit("This takes days without a GPU: give --device cuda, or --quick to see that it runs.")
    text = QUICK if arguments.quick else STUDY.replace("FOLDER", str(arguments.data.resolve()))
    what = "CIFAR-10, ResNet-18, one seed, one device; the time of the whole command, its start included."
    report = Report("time_to_accuracy", what, ("torch",), {}, arguments.quick, gpu_of(device))
    with tempfile.TemporaryDirectory() as folder:
        rows, raw = measure(text, Path(folder))
    report.finish(rows, {"seconds": raw}, arguments.json)


if __name__ == "__main__":
    main()
