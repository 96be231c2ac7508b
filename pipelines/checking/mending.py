"""What the messages of faults advise, done: nothing is deleted but caches, and the next run makes exactly the rest anew."""

import itertools
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines import history
from pipelines.checking.fault import Fault
from pipelines.errors import EnvironmentFault
from pipelines.records import FILE
from pipelines.spec.layout import SPEC, damaged_folder, jobs_folder, made_from_file
from pipelines.spec.plan import Plan
from pipelines.spec.writing import write_specs

GOES_ON = ("shards", "tune")
"""Stages that go on from what is whole in their folder: of the others all is set aside, since it would be written over."""


def mend(plan: Plan, results: Path, found: Sequence[Fault]) -> list[str]:
    """Mend the faults of a study's results; a sentence for each thing that was done. EnvironmentFault for a running job."""
    done = []
    for folder in dict.fromkeys(_job_folder(fault.file, results) for fault in found if fault.mend == "job"):
        damaged = {fault.file for fault in found if fault.mend == "job" and folder in fault.file.parents}
        done.append(f"{folder}: set aside in {_set_aside(folder, damaged, results)}; the next run does it anew")
    for fault in found:
        if fault.mend == "file" and fault.file.exists():  # it may have gone with its job
            folder = _job_folder(fault.file, results)
            done.append(f"{fault.file}: set aside in {_moved(folder, {fault.file}, results)}")
        if fault.mend == "cache":
            fault.file.unlink(missing_ok=True)
            done.append(f"{fault.file}: removed; it is made anew when it is needed")
    if any(fault.mend == "plan" for fault in found):
        write_specs(plan, results)
        done += [f"{fault.file}: written anew from the study" for fault in found if fault.mend == "plan"]
    if any(fault.mend == "report" for fault in found):
        made_from_file(results, plan.study.name).unlink(missing_ok=True)
        done.append(f"{plan.study.name}: the next run makes its report anew")
    return done


def _job_folder(file: Path, results: Path) -> Path:
    """results/jobs/STAGE/KEY of a file at any depth in it."""
    stage, key, *_ = file.relative_to(jobs_folder(results)).parts
    return jobs_folder(results) / stage / key


def _set_aside(folder: Path, damaged: Iterable[Path], results: Path) -> Path:
    """Move the record, what is damaged and what a new attempt would write over; where it lies then."""
    if history.being_written(folder / history.FILE):
        raise EnvironmentFault(f"{folder}: a process works on it; wait for it, or end it, and run repair again")
    chosen = {folder / FILE, *damaged}
    if folder.parent.name not in GOES_ON:
        chosen |= {path for path in folder.iterdir() if path.name != SPEC and not path.name.startswith(".")}
    return _moved(folder, chosen, results)


def _moved(folder: Path, chosen: Iterable[Path], results: Path) -> Path:
    to = _free(damaged_folder(results) / folder.parent.name / folder.name)
    for path in sorted(chosen):
        if path.exists():
            (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, to / path.relative_to(folder))
    return to


def _free(folder: Path) -> Path:
    """The folder, or the same with a number where that is taken."""
    names = itertools.chain([folder], (folder.with_name(f"{folder.name}.{number}") for number in itertools.count(2)))
    return next(path for path in names if not path.exists())
