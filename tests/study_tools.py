"""A small study, planned and run stage by stage in this process, by the lines that a person would type."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.cli import main
from pipelines.records import now, write_record
from pipelines.spec.job import Job
from pipelines.spec.made_by import code_of
from pipelines.spec.pending import Pending
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs
from pipelines.training.loop import Clock, Fitted, Trainer


@dataclass(frozen=True)
class Made:
    """A planned study and its results folder."""

    plan: Plan
    results: Path

    @classmethod
    def of(cls, text: str, folder: Path) -> "Made":
        """The study in ``text``, its specs written and its shards packed."""
        (folder / "study.yaml").write_text(text)
        made = cls(plan_file(folder / "study.yaml"), folder / "results")
        write_specs(made.plan, made.results)
        made.run(*made.plan.of("shards"))
        return made

    def run(self, *jobs: Job) -> None:
        """Run jobs one after the other, each anew whatever an earlier test left of it."""
        for job in jobs:
            folder = job.folder(self.results)
            spec = (folder / "spec.json").read_text()
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "spec.json").write_text(spec)
            assert main([job.stage, "--job", str(folder)]) == 0

    def one(self, stage: str, label: str, **evaluation: Any) -> Job:
        """The first job of a stage with this label, and of an evaluation with these options."""
        return next(
            job
            for job in self.plan.of(stage)
            if self.plan.names[stage, job.key].label == label
            and all(getattr(job.spec.evaluation, name) == value for name, value in evaluation.items())
        )

    def shards(self) -> Path:
        """The folder of the shards."""
        return self.plan.of("shards")[0].folder(self.results)

    def record(self, job: Job) -> dict[str, Any]:
        """What a finished job wrote."""
        return json.loads((job.folder(self.results) / "record.json").read_text())


def finish(job: Job, results: Path) -> None:
    """Say that a job is done, with the code of now and no numbers."""
    write_record(
        job.folder(results),
        key=job.key,
        stage=job.stage,
        spec=job.spec.model_dump(mode="json"),
        inputs=job.inputs,
        metrics={},
        seconds=1.0,
        code=code_of(job.spec),
        started=now(),
    )


def left(plan: Plan, results: Path, **options: bool) -> set[tuple[str, str]]:
    """(stage, key) of what is still to do."""
    return {job.place for unit in Pending.of([plan], results, **options).units.values() for job in unit.jobs}


class Untaught:
    """Stands in for ``Trainer.fit``: notes every trainer as it stands before its first step, and trains nothing."""

    def __init__(self, monkeypatch: Any) -> None:
        self.trainers: list[Trainer] = []
        monkeypatch.setattr(Trainer, "fit", lambda trainer: self(trainer))

    def __call__(self, trainer: Trainer) -> Fitted:
        self.trainers.append(trainer)
        if trainer.out:
            trainer.out.mkdir(parents=True, exist_ok=True)
            (trainer.out / "history.jsonl").touch()  # a record names the files it left
        derived = {"steps_per_epoch": trainer.data.steps_per_epoch}
        value = 0.5 + 0.001 * len(
            self.trainers
        )  # later ones are better, so that tuning chooses one that is not the default
        return Fitted({"final/eval/online_knn": value}, derived, Clock(training=1.0, steps=1))
