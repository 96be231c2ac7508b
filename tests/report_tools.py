"""A made-up study in a temporary folder: plan, records, histories and trials as the stages write them.

The numbers are invented and stand only here; nothing of it is a measurement.
"""

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
from name_tools import name_of
from numpy.typing import ArrayLike

from pipelines.evaluation.predictions import Predictions
from pipelines.files import digest, write_json, write_text
from pipelines.report.study import SPECS
from pipelines.spec.parse import parse
from pipelines.spec.plan import plan_file

METHODS: dict[str, dict[str, Any]] = {
    "simclr": {"use": "simclr", "temperature": 0.5, "dim": 128},
    "moco_v1": {
        "use": "moco",
        "version": 1,
        "temperature": 0.07,
        "momentum": 0.999,
        "queue_size": 4096,
        "feature_transform": None,
    },
    "moco_v2": {
        "use": "moco",
        "version": 2,
        "temperature": 0.2,
        "momentum": 0.999,
        "queue_size": 4096,
        "feature_transform": None,
    },
    "moco_v2_ft": {
        "use": "moco",
        "version": 2,
        "temperature": 0.2,
        "momentum": 0.999,
        "queue_size": 4096,
        "feature_transform": {"positive": {"alpha": 2.0}, "negative": {"alpha": 1.6}},
    },
}
SCORES = {"pixels": 0.83, "untrained": 0.79, "simclr": 0.861, "moco_v1": 0.848, "moco_v2": 0.867, "moco_v2_ft": 0.874}
ENCODER = {"use": "resnet", "depth": 18, "width": 16, "stem": "small", "norm": "batch"}
EVALUATIONS: list[dict[str, Any]] = [
    {"use": "knn", "k": 20, "temperature": 0.07},
    {"use": "linear", "epochs": 30, "lrs": [0.3, 3.0]},
]
SPACE = {
    "momentum": {"low": 0.9, "high": 0.9999, "log": False, "complement": True},
    "temperature": {"low": 0.05, "high": 0.5, "log": True, "complement": False},
}
DIGITS = {"use": "digits"}
RUN: dict[str, Any] = {"method": METHODS["simclr"], "encoder": ENCODER, "views": {}, "training": {}, "dataset": DIGITS}
GIVEN: dict[str, dict[str, Any]] = {
    "shards": {"dataset": DIGITS},
    "tune": RUN | {"search": {"trials": 24, "space": SPACE}},
    "pretrain": RUN | {"seed": 0},
    "evaluate": {"evaluation": {"use": "knn"}, "source": {"use": "pretrain"}, "dataset": DIGITS, "seed": 0},
}
"""What a spec says where a test does not care."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeStudy:
    """Builds a plan job by job; ``done`` writes a record too."""

    def __init__(self, folder: Path, name: str = "fake") -> None:
        self.results, self.name = folder, name
        self.jobs: list[dict[str, Any]] = []

    def job(
        self, stage: str, key: str, label: str, given: dict[str, Any], inputs: dict[str, str] | None = None, **done: Any
    ) -> str:
        """Plan a job; with keyword arguments (any field of a record) it has also finished."""
        spec = parse(SPECS[stage], GIVEN[stage] | given, f"{key}: ").model_dump(mode="json")
        job = {"stage": stage, "key": key, "spec": spec, "inputs": inputs or {}}
        role = "tuning" if stage == "tune" else "row"
        self.jobs.append(job | name_of(label).model_dump() | {"role": role})
        if done:
            finish(self.results, job, **done)
        return key

    def folder(self, stage: str, key: str) -> Path:
        """Where a job's outputs lie."""
        return self.results / "jobs" / stage / key

    def save(self, question: str = "Does feature transformation help MoCo v2 at 28 pixels?") -> Path:
        """Write plan.json; its path."""
        path = self.results / self.name / "plan.json"
        write_json(path, {"study": self.name, "question": question, "seeds": [0, 1, 2], "tuned": [], "jobs": self.jobs})
        return path

    def run(
        self, label: str, seed: int, dataset: dict[str, Any], metrics: dict[str, dict[str, float | None]], **more: Any
    ) -> None:
        """A pretraining with features and evaluations. ``metrics``: kind of evaluation -> metrics; absent: not done."""
        stem = name_of(label).method
        method = more.pop("method", METHODS.get(stem, {"use": "moco", "version": 2}))
        inputs, epochs, flags = more.pop("inputs", {}), more.pop("epochs", 20), more.pop("flags", [])
        name = f"{label}-{dataset['use']}-s{seed}"
        training = {"epochs": epochs, "batch_size": 256, "optimizer": "sgd", "lr_per_256": 0.03, "schedule": "cosine"}
        spec = {"method": method, "training": training, "dataset": dataset, "seed": seed, **more}
        done = {
            "metrics": {"final/train/loss": 1.0},
            "derived": {"lr": 0.03},
            "seconds": 300.0 + seed,
            "images_per_second": 9500.0,
        }
        weights = self.job("pretrain", f"{name}-p", label, spec, inputs, **done, flags=flags)
        self.evaluate(label, "pretrain", seed, dataset, metrics, {"weights": weights})

    def evaluate(
        self,
        label: str,
        origin: str,
        seed: int,
        dataset: dict[str, Any],
        metrics: dict[str, dict[str, float | None]],
        inputs: dict[str, str] | None = None,
    ) -> None:
        """Evaluations of one encoder."""
        name = f"{label.replace(' ', '_')}-{dataset['use']}-s{seed}"
        source = {"use": origin} | ({"encoder": ENCODER} if origin == "untrained" else {})
        for evaluation in EVALUATIONS:
            use = evaluation["use"]
            done = {"metrics": metrics[use], "seconds": 4.0} if use in metrics else {}
            spec = {"evaluation": evaluation, "source": source, "dataset": dataset, "seed": seed}
            self.job("evaluate", f"{name}-{use}", label, spec, inputs, **done)


def finish(results: Path, job: dict[str, Any], **done: Any) -> Path:
    """Write the record of a planned job (an entry of plan.json), with any of its fields; the job's folder."""
    folder = results / "jobs" / job["stage"] / job["key"]
    record = {
        **{name: job[name] for name in ("stage", "key", "spec", "inputs")},
        "metrics": {},
        "derived": {},
        "seconds": 1.0,
        "images_per_second": None,
        "started": "2026-01-31T12:00:00.000+00:00",
        "finished": "2026-01-31T12:30:00.000+00:00",
        "versions": {"python": "3.11.2", "torch": "2.15.0"},
        "commit": COMMIT,
        "dirty": False,
        "device": "Some CPU",
        "flags": [],
        "artifacts": {},
    }
    value = record | done
    sealed = {"checksum": digest(value, 64)} if "code" in done else {}  # a record that names its code has to have one
    write_json(folder / "record.json", value | sealed)
    return folder


def answered(results: Path, job: dict[str, Any], correct: ArrayLike, classes: int = 10, **done: Any) -> None:
    """Finish an evaluation that named these test images rightly (m,), of classes in turn, and kept its predictions."""
    right = np.asarray(correct, dtype=bool)
    label = np.arange(len(right)) % classes
    folder = finish(
        results, job, metrics={"test/top1": float(right.mean())}, artifacts={"predictions": "predictions.npz"}, **done
    )
    said = np.where(right, label, (label + 1) % classes)
    Predictions.of([f"image{i}" for i in range(len(right))], label, said).save(folder / "predictions.npz")


def numbers_of(page: str) -> list[tuple[str, str]]:
    """(table and text, anchor of what is behind it or nothing) of every number of a page's tables.

    Without figures of papers, which have their source beside them, and without the table that links to the records. Every
    address inside the page has to lead somewhere.
    """
    assert {*re.findall(r'href="#([^"]+)"', page)} <= {*re.findall(r' id="([^"]+)"', page)}
    found = []
    for name, table in re.findall(r'<table class="([^"]+)">(.*?)</table>', page, re.S):
        for cell in re.findall(r'<td class="number[^"]*">(.*?)</td>', table, re.S):
            text = re.sub("<[^>]+>", "", cell).strip()
            if re.match(r"[+-]?\d", text) and name not in ("published", "jobs") and 'href="#note-' not in cell:
                anchor = re.search(r'class="behind" href="#(behind-\w+)"', cell)
                found.append((f"{name}: {text}", anchor.group(1) if anchor else ""))
    return found


def planned(folder: Path, study: str) -> Path:
    """Plan a study, given as YAML; the path of its plan.json."""
    file = folder / "study.yaml"
    write_text(file, study)
    made = plan_file(file)
    path = folder / made.study.name / "plan.json"
    write_json(path, made.dump())
    return path


def history(folder: Path, label: str, seed: int, steps: int = 4000, every: int = 10) -> None:
    """A plausible history.jsonl for one run."""
    random_ = random.Random(f"{label}{seed}")
    offset = sum(map(ord, label)) % 7 / 10
    lines = []
    for step in range(0, steps, every):
        share = step / steps
        metrics = {
            "train/loss": 5 + offset + 3 * math.exp(-5 * share) + random_.gauss(0, 0.05),
            "scores/negative_mean": 0.3 * math.exp(-8 * share) + random_.gauss(0, 0.004),
            "scores/negative_variance": 0.01 + 0.02 * math.exp(-3 * share) + offset / 100 + random_.gauss(0, 0.0005),
            "scores/positive_mean": 0.9 - 0.3 * math.exp(-6 * share) - offset / 10 + random_.gauss(0, 0.01),
            "collapse/spread": 0.9 - 0.5 * math.exp(-9 * share) + random_.gauss(0, 0.01),
            "collapse/effective_rank": 60 - 50 * math.exp(-4 * share) + 10 * offset + random_.gauss(0, 1),
        }
        if step % 400 == 0:
            metrics["eval/online_knn"] = SCORES.get(label, 0.85) - 0.3 * math.exp(-4 * share) + random_.gauss(0, 0.004)
        lines.append(
            json.dumps({"t": 1, "step": step, "metrics": {name: round(value, 6) for name, value in metrics.items()}})
        )
    write_text(folder / "history.jsonl", "\n".join(lines) + "\n")


def tuning(study: FakeStudy, label: str, dataset: dict[str, Any], trials: int = 24) -> str:
    """A finished tuning job with its trials.json; its key."""
    random_ = random.Random(label)
    extra = {"feature_transform.positive.alpha": {"low": 0.2, "high": 5.0}} if "ft" in label else {}
    spec = {"method": METHODS[label], "dataset": dataset, "search": {"trials": trials, "space": SPACE | extra}}
    key = study.job("tune", f"{label}-tune", label, spec, metrics={"best": 0.86}, seconds=900.0)
    found = []
    for number in range(trials):
        momentum, temperature = 1 - 10 ** random_.uniform(-4, -1), 10 ** random_.uniform(-1.3, -0.3)
        value = 0.86 - 0.02 * (math.log10(temperature) + 0.7) ** 2 - 0.01 * (math.log10(1 - momentum) + 2.2) ** 2
        params = {"momentum": momentum, "temperature": temperature}
        if "ft" in label:
            params["feature_transform.positive.alpha"] = random_.uniform(0.2, 5)
        value += random_.gauss(0, 0.002)
        found.append({"number": number, "params": params, "value": value, "state": "COMPLETE", "seconds": 30.0})
    write_json(study.folder("tune", key) / "trials.json", found)
    return key


def full_study(folder: Path, seeds: int = 3) -> Path:
    """Four methods, floors, tuned runs, one missing seed, one missing method, one collapsed run; the plan's path."""
    study = FakeStudy(folder)
    dataset = {"use": "fashion_mnist", "limit": None, "holdout": 0.1}
    study.job("shards", "fashion_mnist-0", "fashion_mnist", {"dataset": dataset}, seconds=12.0)
    random_ = random.Random(0)
    study.evaluate(
        "raw pixels",
        "pixels",
        0,
        dataset,
        {"knn": {"test/top1": 0.8421, "holdout/top1": 0.85}, "linear": {"test/top1": 0.831}},
    )
    for seed in range(seeds):
        scores = {kind: {"test/top1": SCORES["untrained"] + random_.gauss(0, 0.004)} for kind in ("knn", "linear")}
        study.evaluate("untrained resnet18w16", "untrained", seed, dataset, scores)
    keys = {label: tuning(study, label, dataset) for label in ("moco_v2", "moco_v2_ft")}
    for label in [*METHODS, "moco_v2_tuned", "moco_v2_ft_tuned"]:
        stem = label.removesuffix("_tuned")
        for seed in range(seeds):
            bad = label == "moco_v1" and seed == 1
            level = SCORES[stem] + (0.004 if label != stem else 0.0) - (0.2 if bad else 0.0)
            scores = {
                kind: {"test/top1": level + random_.gauss(0, 0.003), "holdout/top1": level}
                for kind in ("knn", "linear")
            }
            if label == "simclr" and seed == 2:
                del scores["linear"]
            if label == "moco_v2_ft_tuned":
                scores = {"knn": scores["knn"]}
            inputs = {"best": keys[stem]} if label != stem else {}
            study.run(label, seed, dataset, scores, inputs=inputs, flags=["collapsed"] if bad else [])
            history(study.folder("pretrain", f"{label}-fashion_mnist-s{seed}-p"), label, seed)
    return study.save()


if __name__ == "__main__":
    import sys

    print(full_study(Path(sys.argv[1])))
