"""A small finished study, copies of it, ways to damage its files, and a run of all that reads them."""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from pipelines import report
from pipelines.building import looks
from pipelines.cli import main
from pipelines.errors import Problem
from pipelines.files import sha256_file
from pipelines.report import build, charts, material, page
from pipelines.report.study import load_results
from pipelines.spec.job import Job
from pipelines.spec.layout import written_plan as plan_of
from pipelines.spec.pending import Pending, mark_fresh
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs

TEXTS = Path(__file__).parents[1] / "reports"
STUDY = """
question: Is anything believed that is not what was written?
dataset: {use: digits, limit: 40}
encoder: {use: resnet, depth: 10, width: 4, stem: small}
methods: [{use: moco, queue_size: 32, momentum: 0.99, label: moco}]
seeds: [0]
keep_features: true
training: {epochs: 1, batch_size: 16, lr_per_256: 0.1, precision: float32, monitor_steps: 1}
views: {flip: 0.0}
tuning:
  trials: 2
  finalists: 1
  repeats: 1
  epochs: 1
  methods: [moco]
  space: {temperature: {low: 0.05, high: 0.5, log: true}}
evaluation: [{use: knn, k: 5}]
tables: [{name: declared, caption: What was found., columns: [knn]}]
"""


@contextmanager
def with_a_plain_map() -> Iterator[None]:
    """Two features in place of t-SNE, which takes most of an evaluation's time here and reads no file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "placed", lambda rows: rows[:, :2].double().sigmoid().numpy())
        yield


@contextmanager
def without_charts() -> Iterator[None]:
    """Reports without their charts, which take seconds and come from the same values.

    All modules are there before: one imported meanwhile would keep what stands in for a chart.
    """
    real = {"finished": charts.finished, "plain": charts.plain}
    everything = [import_module(found.name) for found in walk_packages(report.__path__, f"{report.__name__}.")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "write_figures", lambda sections, folder: [])
        patch.setattr(material, "load_published", lambda folder: [])
        patch.setattr(page, "_bundle", str)
        for module in everything:
            for name in real:
                if getattr(module, name, None) is real[name]:
                    patch.setattr(module, name, lambda *chart, **options: {})
        yield


EMPTY = {".lock", ".writer", "journal.lock"}
"""Files that say nothing."""


@dataclass(frozen=True)
class Finished:
    """A study whose jobs are all done: its file, its plan, its results folder."""

    file: Path
    plan: Plan
    results: Path

    @classmethod
    def made(cls, folder: Path) -> "Finished":
        """Run it in this process."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tiny.yaml").write_text(STUDY)
        found = cls(folder / "tiny.yaml", plan_file(folder / "tiny.yaml"), folder / "results")
        write_specs(found.plan, found.results)
        found.run_what_is_left()
        found.report()
        return found

    def copy(self, folder: Path) -> "Finished":
        """The same results in another folder, times of change kept."""
        shutil.copytree(self.results, folder / "results")
        return Finished(self.file, self.plan, folder / "results")

    def run_what_is_left(self) -> list[Job]:
        """Do what Snakemake would do; the jobs that were done."""
        done = [job for job in self.plan.jobs.values() if not job.done(self.results)]
        with with_a_plain_map():
            for job in done:
                assert main([job.stage, "--job", str(job.folder(self.results))]) == 0
        return done

    def report(self) -> str:
        """Collect and write the report, without pictures; the text of its tables but for times."""
        out = self.results / self.plan.study.name
        with without_charts():
            plan = plan_of(self.results, self.plan.study.name)
            build.build_report(load_results(plan, self.results), out, TEXTS)
            mark_fresh(self.plan.dump(), self.results)
        return "".join((out / "tables" / f"{name}.csv").read_text() for name in ("results", "tuning", "settings"))

    def files(self) -> list[str]:
        """All that the jobs left, kept features and the plan, by path in the results."""
        found = [path.relative_to(self.results) for path in self.results.rglob("*") if path.is_file()]
        kept = [path for path in found if path.parts[0] in ("jobs", "features") or path.name == "plan.json"]
        return sorted(str(path) for path in kept if path.name not in EMPTY)

    def outcome(self) -> dict[str, object]:
        """What everybody who reads these results gets: the plan, the report, a pretraining and all evaluations anew.

        Problem where somebody refuses.
        """
        write_specs(self.plan, self.results)
        Pending.of([self.plan], self.results)
        found: dict[str, object] = {"tables": self.report()}
        for stage in ("pretrain", "evaluate"):
            for job in self.plan.of(stage):
                folder = job.folder(self.results)
                (folder / "record.json").unlink()
                with with_a_plain_map():
                    status = main([stage, "--job", str(folder)])
                if status:
                    raise Problem(f"{folder}: refused")
                left = folder / ("encoder.safetensors" if stage == "pretrain" else "predictions.npz")
                found[f"{stage}/{job.key}"] = sha256_file(left) if stage == "pretrain" else left.read_bytes()
        return found


def flip(path: Path, draw: random.Random) -> None:
    """One bit, anywhere."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def cut(path: Path, draw: random.Random) -> None:
    """What was written up to some byte."""
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def exchange(path: Path, draw: random.Random) -> None:
    """Another file of the kind: the sister's of the same name, else of the same ending, else the same with another number."""
    for pattern in (f"../*/{path.name}", f"*{''.join(path.suffixes[-1:])}"):
        others = [each for each in sorted(path.parent.glob(pattern)) if each.resolve() != path.resolve()]
        others = [each for each in others if each.read_bytes() != path.read_bytes() and path.suffix != ".json"] or [
            each for each in others if each.name == path.name and each.read_bytes() != path.read_bytes()
        ]
        if others:
            path.write_bytes(draw.choice(others).read_bytes())
            return
    data = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(data) if 0x31 <= byte <= 0x38]
    if digits:
        data[draw.choice(digits)] += 1
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {"flip": flip, "cut": cut, "exchange": exchange}


def damage(path: Path, how: str, seed: int) -> bool:
    """Damage a file; whether that changed anything."""
    before = path.read_bytes()
    DAMAGES[how](path, random.Random(f"{path.name} {how} {seed}"))
    return path.read_bytes() != before


def kinds(study: Finished) -> list[str]:
    """The first file of each name; keys, fingerprints and splits left out."""
    found: dict[str, str] = {}
    for name in study.files():
        path = Path(name)
        kind = path.name if path.parts[0] == "jobs" and not path.name.startswith("cache") else "".join(path.suffixes)
        found.setdefault(f"{path.parts[:2]} {re.sub('train|test', '', kind)}", name)
    return list(found.values())
