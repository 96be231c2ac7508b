"""A study as jobs: stage, key, resolved spec and named inputs. Torch-free; keys depend on content alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import digest
from pipelines.spec.datasets import dataset_name
from pipelines.spec.encoders import encoder_name
from pipelines.spec.evaluation import needs_text, on_images, suits
from pipelines.spec.finetuning import Distill
from pipelines.spec.job import Job
from pipelines.spec.load import load_study
from pipelines.spec.resolve import Run, points, resolve
from pipelines.spec.sizes import pretraining_images
from pipelines.spec.study import MethodEntry, Study

VERSIONS = {"shards": 1, "tune": 1, "pretrain": 1, "embed": 1, "evaluate": 1}
"""Part of every key: raise a stage's number when its code gives other results for the same spec."""

NOT_IN_KEY = ("workers", "checkpoint_minutes", "resident_gib")
"""Settings of training that say how to run, not what: they change no result and no key."""


@dataclass(frozen=True)
class Plan:
    """All jobs of a study, by stage and key, each with the label tables give it."""

    study: Study
    jobs: dict[tuple[str, str], Job]
    labels: dict[tuple[str, str], str]

    def of(self, stage: str) -> list[Job]:
        """The jobs of one stage."""
        return [job for (name, _), job in self.jobs.items() if name == stage]

    def dump(self) -> dict[str, Any]:
        """What collect and report need: plain JSON values."""
        jobs = [
            {
                "stage": job.stage,
                "key": job.key,
                "inputs": job.inputs,
                "spec": {"label": self.labels[place], **job.spec},
            }
            for place, job in self.jobs.items()
        ]
        study = self.study
        tuned = list(study.tuning.methods) if study.tuning else []
        return {
            "study": study.name,
            "question": study.question,
            "seeds": list(study.seeds),
            "tuned": tuned,
            "jobs": jobs,
        }


def plan(study: Study) -> Plan:
    """Expand a study: shards, tuning, pretraining, features, evaluations; InputError for what cannot work."""
    return _Planner(study).plan()


def plan_file(path: Path) -> Plan:
    """The plan of a study file; InputError names the file."""
    study = load_study(path)
    try:
        return plan(study)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


class _Planner:
    def __init__(self, study: Study) -> None:
        self.study = study
        self.jobs: dict[tuple[str, str], Job] = {}
        self.labels: dict[tuple[str, str], str] = {}
        self.dataset = study.dataset.model_dump(mode="json")
        self.num_samples = pretraining_images(study.dataset)
        self.data_name = dataset_name(study.dataset)

    def plan(self) -> Plan:
        """All jobs, floors before the methods."""
        shards = self._add("shards", self.data_name, {"dataset": self.dataset}, {}, self.data_name)
        runs: list[tuple[Run, str | None]] = [(run, None) for entry in self.study.methods for run in self._runs(entry)]
        self._check_evaluations([run for run, _ in runs])
        runs += [tuned for entry in self.study.methods for tuned in self._tuned(entry, shards)]
        if self.study.floors:
            self._floors([run for run, _ in runs], shards)
        for run, best in runs:
            for seed in self.study.seeds:
                self._pretrain(run, seed, shards, best)
        return Plan(self.study, self.jobs, self.labels)

    def _add(self, stage: str, prefix: str, spec: dict[str, Any], inputs: dict[str, str], label: str) -> str:
        """Register a job and return its key; jobs of equal content are one job."""
        content = {"stage": stage, "version": VERSIONS[stage], "spec": _keyed(spec), "inputs": inputs}
        key = f"{prefix}-{digest(content)}"
        self.jobs.setdefault((stage, key), Job(stage, key, spec, inputs))
        self.labels.setdefault((stage, key), label)
        return key

    def _check_evaluations(self, runs: list[Run]) -> None:
        for i, evaluation in enumerate(self.study.evaluation):
            if not any(suits(evaluation, run.method) for run in runs):
                raise InputError(
                    f"evaluation[{i}]: {evaluation.use} suits none of the methods: zero_shot needs a text tower (clip), "
                    "head_layers a layered head (simclr); take it out or add such a method"
                )

    def _runs(self, entry: MethodEntry) -> list[Run]:
        return [resolve(self.study, entry, point, self.num_samples) for point in points(self.study, entry)]

    def _tuned(self, entry: MethodEntry, shards: str) -> list[tuple[Run, str | None]]:
        """The runs that take the best values of a tuning study, with that study's key."""
        tuning = self.study.tuning
        if not tuning or entry.label not in tuning.methods:
            return []
        space = tuning.space_of(entry.label)
        kept = [
            {path: value for path, value in point.items() if path not in space} for point in points(self.study, entry)
        ]
        result: list[tuple[Run, str | None]] = []
        for point in [point for i, point in enumerate(kept) if point not in kept[:i]]:
            run = resolve(self.study, entry, point, self.num_samples)
            for path, limits in space.items():  # both ends must be allowed values, found out before any trial runs
                for end in (limits.low, limits.high):
                    resolve(self.study, entry, {**point, path: end}, self.num_samples)
            spec = {
                **run.dump(),
                "dataset": self.dataset,
                "tuning": _search(tuning.model_dump(mode="json"), entry.label),
            }
            if tuning.epochs:
                spec["training"] = {**spec["training"], "epochs": tuning.epochs}
            prefix = f"{run.method.short_name}-{self.data_name}"
            best = self._add("tune", prefix, spec, {"shards": shards}, f"{run.label} (tuning)")
            tuned = Run(f"{run.label}_tuned", run.method, run.training, run.encoder, run.views)
            result.append((tuned, best))
        return result

    def _pretrain(self, run: Run, seed: int, shards: str, best: str | None) -> None:
        spec = {**run.dump(), "dataset": self.dataset, "seed": seed}
        inputs = {"shards": shards, **({"best": best} if best else {})}
        name = f"{run.method.short_name}{'_tuned' if best else ''}-{self.data_name}-s{seed}"
        weights = self._add("pretrain", name, spec, inputs, run.label)
        source = {"source": "pretrain", "dataset": self.dataset, "seed": seed}
        fitting = [evaluation for evaluation in self.study.evaluation if suits(evaluation, run.method)]
        self._evaluate(name, fitting, source, {"weights": weights, "shards": shards}, run.label)

    def _floors(self, runs: list[Run], shards: str) -> None:
        """What any method has to beat: raw pixels, and the same encoders as they are born (or trained from scratch)."""
        plain = [evaluation for evaluation in self.study.evaluation if not needs_text(evaluation)]
        on_features = [evaluation for evaluation in plain if not on_images(evaluation)]
        pixels = {"source": "pixels", "dataset": self.dataset, "seed": 0}
        self._evaluate(f"pixels-{self.data_name}", on_features, pixels, {"shards": shards}, "raw pixels")
        scratch = [evaluation for evaluation in plain if not isinstance(evaluation, Distill)]
        for name, encoder in distinct_encoders(runs).items():
            for seed in self.study.seeds:
                spec = {"source": "untrained", "encoder": encoder, "dataset": self.dataset, "seed": seed}
                prefix = f"untrained_{name}-{self.data_name}-s{seed}"
                self._evaluate(prefix, scratch, spec, {"shards": shards}, f"untrained {name}")

    def _evaluate(
        self, prefix: str, evaluations: list[Any], source: dict[str, Any], inputs: dict[str, str], label: str
    ) -> None:
        """Jobs for each protocol: on features, which are embedded once, or on the weights and the images."""
        features = self._add("embed", prefix, source, inputs, label) if not all(map(on_images, evaluations)) else ""
        for evaluation in evaluations:
            needed = dict(inputs) if on_images(evaluation) else {"features": features}
            if needs_text(evaluation):
                needed |= inputs  # the text tower, and the names of the classes
            if isinstance(evaluation, Distill):
                teacher = {"evaluation": evaluation.teacher.model_dump(mode="json"), **source}
                needed["teacher"] = self._add("evaluate", f"{prefix}-finetune", teacher, inputs, f"{label} (teacher)")
            spec = {"evaluation": evaluation.model_dump(mode="json"), **source}
            self._add("evaluate", f"{prefix}-{evaluation.use}", spec, needed, label)


def distinct_encoders(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """The runs' encoders by a readable name; two that differ in what the name does not show are numbered."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        encoder = run.encoder.model_dump(mode="json")
        name, number = encoder_name(run.encoder), 1
        while found.setdefault(name, encoder) != encoder:
            number += 1
            name = f"{encoder_name(run.encoder)}.{number}"
    return found


def _keyed(spec: dict[str, Any]) -> dict[str, Any]:
    training = spec.get("training")
    if training is None:
        return spec
    return {**spec, "training": {name: value for name, value in training.items() if name not in NOT_IN_KEY}}


def _search(tuning: dict[str, Any], label: str) -> dict[str, Any]:
    """A tuning section reduced to one method: its space, and nothing of the other methods or of how jobs are cut."""
    space = {**tuning["space"], **tuning["extra"].get(label, {})}
    kept = ("trials", "objective", "sampler", "prune_below", "seed")
    return {**{name: tuning[name] for name in kept}, "space": space}
