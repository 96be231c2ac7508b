"""A pretraining of some seconds whose images data workers decode, to be disturbed by tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
STUDY = """
question: What is left of a pretraining that is asked to end?
dataset: {use: digits, limit: 160}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: moco, queue_size: 64, momentum: 0.99, label: moco}]
seeds: [0]
training:
  {epochs: 30, batch_size: 32, lr_per_256: 0.1, precision: float32, data: streaming, workers: 2,
   checkpoint_minutes: 90.0, monitor_steps: 1}
views: {flip: 0.0}
evaluation: [{use: knn, k: 5}]
floors: false
"""


@dataclass(frozen=True)
class Shards:
    """A planned study whose shards are made: its results folder, and the pretraining's folder in it."""

    results: Path
    job: Path

    @classmethod
    def made(cls, folder: Path) -> "Shards":
        """Plan the study above in a folder, and pack its images."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(STUDY)
        plan, results = plan_file(folder / "study.yaml"), folder / "results"
        write_specs(plan, results)
        shards = stage("shards", plan.of("shards")[0].folder(results))
        subprocess.run(shards, env=ENVIRONMENT, check=True, timeout=200)
        return cls(results, plan.of("pretrain")[0].folder(results))

    def copy(self, folder: Path) -> Path:
        """The pretraining anew, in a results folder of its own."""
        target = folder / self.job.relative_to(self.results)
        target.mkdir(parents=True)
        (target / "spec.json").write_text((self.job / "spec.json").read_text())
        (folder / "jobs" / "shards").symlink_to(self.results / "jobs" / "shards")
        return target


def stage(name: str, job: Path, processes: int = 1) -> list[str]:
    line = [sys.executable, "-m", "pipelines", name, "--job", str(job)]
    return [*line, "--processes", str(processes)] if processes > 1 else line


def lines(history: Path) -> int:
    """How many steps it tells of."""
    return history.read_bytes().count(b"\n") if history.exists() else 0
