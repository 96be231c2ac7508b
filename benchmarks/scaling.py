"""How training speeds up with its processes: images a second of whole pretrainings by one, two and four of them.

    python benchmarks/scaling.py --json benchmarks/results/scaling.json
    python benchmarks/scaling.py --device cuda --json benchmarks/results/scaling_gpu.json

SimCLR on Fashion-MNIST, whose images lie in memory, by the commands of a study: ``pretrain --processes N``, which starts
torchrun. The processes are joined by gloo, and by nccl on GPUs, one each. The batch is that of all processes together, as
batch sizes are in studies, so each has a share of the same work. The rate is that of the record: all images over all seconds of
training, its first steps, monitors and checkpoint included. Each process has one thread; where there are fewer cores than
processes they share them, and no gain can show.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT, Report, arguments_of, row
from benchmarks.contest import in_turn, paired
from benchmarks.devices import checked, device_option, gpu_of, result_name
from pipelines.records import read_record
from pipelines.spec.job import Job
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_spec, write_specs

STUDY = """\
question: How does training speed up with its processes?
dataset: {use: fashion_mnist, image_size: 32, limit: LIMIT}
encoder: {use: resnet, depth: 18, width: WIDTH, stem: small}
methods: [{use: simclr, label: simclr}]
training: {epochs: EPOCHS, batch_size: BATCH, data: resident, checkpoint_minutes: 1000}
seeds: [0]
evaluation: [{use: knn}]
floors: false
"""
PROCESSES = (1, 2, 4)
FULL: dict[str, dict[str, int]] = {
    "cpu": {"limit": 6000, "width": 16, "epochs": 1, "batch": 256, "rounds": 3},
    "cuda": {"limit": 60000, "width": 64, "epochs": 5, "batch": 2048, "rounds": 3},
}
QUICK = {"limit": 400, "width": 8, "epochs": 1, "batch": 64, "rounds": 1}


def study_of(setting: dict[str, int]) -> str:
    """The study's text with these numbers."""
    text = STUDY
    for name in ("limit", "width", "epochs", "batch"):
        text = text.replace(name.upper(), str(setting[name]))
    return text


def counts(device: str) -> list[int]:
    """How many processes are tried: on GPUs no more than there are."""
    most = torch.cuda.device_count() if device == "cuda" else max(PROCESSES)
    return [count for count in PROCESSES if count <= most]


def pipelines(*arguments: object) -> None:
    """Run a stage as a study does, with one thread a process."""
    line = [sys.executable, "-m", "pipelines", *map(str, arguments)]
    subprocess.run(line, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)


def speed(job: Job, results: Path, processes: int) -> float:
    """Images a second of a whole pretraining, made anew."""
    folder = job.folder(results)
    shutil.rmtree(folder)
    write_spec(job, results)
    pipelines("pretrain", "--job", folder, "--processes", processes)
    record = read_record(folder)
    assert record.derived["processes"] == processes
    assert record.images_per_second
    return record.images_per_second


def prepared(text: str, results: Path) -> Job:
    """The study's pretraining, whose images are packed."""
    study = results / "study.yaml"
    study.write_text(text)
    plan = plan_file(study)
    write_specs(plan, results)
    for job in plan.of("shards"):
        pipelines("shards", "--job", job.folder(results))
    return plan.of("pretrain")[0]


def rows(rates: dict[int, list[float]]) -> list[dict[str, Any]]:
    """Rates, and what part of so many times one process's each is."""
    found = [row(named(count), statistics.median(each), "images/s") for count, each in rates.items()]
    for count, each in rates.items():
        if count > 1:
            kept = 100 * paired(each, rates[1]) / count
            found.append(row(f"{named(count)}: of {count} times the speed of one", kept, "%"))
    return found


def named(count: int) -> str:
    """So many processes."""
    return "1 process" if count == 1 else f"{count} processes"


def main() -> None:
    parser = arguments_of(__doc__)
    device_option(parser)
    arguments = parser.parse_args()
    device = checked(arguments.device)
    setting = QUICK if arguments.quick else FULL[device]
    what = (
        f"SimCLR on {setting['limit']:,} images of Fashion-MNIST at 32 pixels, ResNet-18 of width {setting['width']}, batch "
        f"{setting['batch']} over all processes, epochs: {setting['epochs']}; medians of {setting['rounds']} trainings."
    )
    gpus = torch.cuda.device_count()
    report = Report(
        result_name("scaling", device), what, ("torch",), {**setting, "gpus": gpus}, arguments.quick, gpu_of(device)
    )
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        job = prepared(study_of(setting), results)
        works: dict[str, Callable[[], float]] = {
            str(count): partial(speed, job, results, count) for count in counts(device)
        }
        rates = in_turn(works, setting["rounds"], warm=0)
    report.finish(
        rows({int(count): each for count, each in rates.items()}), {"images_per_second": rates}, arguments.json
    )


if __name__ == "__main__":
    main()
