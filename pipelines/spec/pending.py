"""What is left to do: records decide, and nothing else. Snakemake is told of these units only."""

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.acceptance import standing
from pipelines.errors import InputError, Problem
from pipelines.files import digest, read_json, read_sealed, sealed, sha256_file, write_json
from pipelines.records import made_by, read_record
from pipelines.spec.enough import check_enough, contents_of
from pipelines.spec.job import INPUT_STAGE, Job, Place
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import (
    SPEC,
    figures_folder,
    made_from_file,
    marker,
    record_file,
    report_page,
    tables_folder,
    units_file,
)
from pipelines.spec.made_by import code_of
from pipelines.spec.plan import Plan
from pipelines.spec.restocked import check_stock, restocked
from pipelines.spec.tables import is_reported
from pipelines.spec.units import Unit, units


class Pending:
    """The units of some plans that have a job without a record, and where each job belongs."""

    def __init__(self, found: Iterable[Unit]) -> None:
        self.units = {(unit.stage, unit.name): unit for unit in found}
        self._of = {job.place: unit for unit in self.units.values() for job in unit.jobs}

    @classmethod
    def of(cls, plans: Iterable[Plan], results: Path, rerun_changed: bool = False) -> "Pending":
        """What these plans still need; ``rerun_changed``: also what other code, or other files of a data set, made.

        InputError where the files of a data set to be packed are missing, or changed after it was packed, or are too few
        for an evaluation.
        """
        plans = list(plans)
        for made in plans:
            check_files(made, results)
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        if not rerun_changed:
            check_stock(jobs.values(), results)
        for made in plans:
            check_enough(made, contents_of(made, results, rerun_changed), results)
        anew = _changed(jobs, results) if rerun_changed else set()
        return cls(units(job for place, job in jobs.items() if place in anew or not job.done(results)))

    @classmethod
    def read(cls, plans: Iterable[Plan], results: Path) -> "Pending":
        """What the run that is going on had to do when it began: a job on another machine belongs to one of its units."""
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        listed = read_json(units_file(results))["units"]
        return cls(Unit(unit["stage"], unit["name"], _jobs(unit, jobs)) for unit in listed)

    def write(self, results: Path, studies: Iterable[str], run: str = "") -> None:
        """Leave the units for ``read``, the files of their studies and the name of the run; take away what is in the way.

        That is markers of an earlier run whose records are gone since, and results that other code made: all of them
        that are here are to be made anew.
        """
        for unit in self.units.values():
            marker(results, unit.stage, unit.name).unlink(missing_ok=True)
            for job in unit.jobs:
                if job.done(results):
                    _clear(job.folder(results))
        listed = [
            {"stage": unit.stage, "name": unit.name, "keys": [job.key for job in unit.jobs]}
            for unit in self.units.values()
        ]
        write_json(units_file(results), {"run": run, "studies": list(studies), "units": listed})

    @staticmethod
    def studies(results: Path) -> list[str]:
        """The study files of the run that is going on."""
        return [str(file) for file in read_json(units_file(results))["studies"]]

    @staticmethod
    def clear(results: Path, run: str) -> None:
        """Take away markers and units, if they are this run's: another one may have begun in the same results folder."""
        with contextlib.suppress(Problem):
            if read_json(units_file(results)).get("run") == run:
                shutil.rmtree(units_file(results).parent, ignore_errors=True)

    def before(self, unit: Unit) -> list[Unit]:
        """The units that have to end before this one can start."""
        return list(dict.fromkeys(self._of[place] for place in sorted(unit.needs()) if place in self._of))

    def of_plan(self, plan: Plan) -> list[Unit]:
        """The units that a study's report waits for."""
        return list(dict.fromkeys(self._of[place] for place in plan.jobs if place in self._of))


def is_changed(job: Job, results: Path) -> bool:
    """Whether other code made a job's result, and nobody accepted that."""
    folder, now = job.folder(results), code_of(job.spec)
    return made_by(folder) != now.digest and standing(read_record(folder), folder, now) == "changed"


def _changed(jobs: dict[Place, Job], results: Path) -> set[Place]:
    """The finished jobs that other code or other files made, and all that were made from them: a plan lists inputs first."""
    found: set[Place] = set()
    for place, job in jobs.items():
        inputs = {(INPUT_STAGE[name], key) for name, key in job.inputs.items()}
        if job.done(results) and (inputs & found or is_changed(job, results) or restocked(job, results)):
            found.add(place)
    return found


def _clear(folder: Path) -> None:
    """Take away all that a job left; its spec stays."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != SPEC:
            path.unlink()


def check_files(plan: Plan, results: Path) -> None:
    """Look at the files of every data set that is still to be packed. InputError names the study and the data set."""
    for job in plan.of("shards"):
        if not job.done(results) and isinstance(job.spec, ShardsSpec):
            try:
                job.spec.dataset.check_files()
            except InputError as error:
                where = f"study {plan.study.name}, data set {job.spec.dataset.short_name}"
                raise InputError(f"{where}: {error}") from None


def _jobs(unit: dict[str, Any], jobs: dict[Place, Job]) -> tuple[Job, ...]:
    return tuple(jobs[unit["stage"], key] for key in unit["keys"])


def state(dump: dict[str, Any], results: Path) -> str:
    """A digest of a study's plan (as dumped) and of every record there is of it: what its report is made from."""
    files = [record_file(results, job["stage"], job["key"]) for job in dump["jobs"]]
    return digest({"plan": dump, "records": [sha256_file(file) if file.exists() else None for file in files]}, 16)


def is_fresh(plan: Plan, results: Path) -> bool:
    """Whether the study's report was made from this plan and from the records as they are now."""
    file = made_from_file(results, plan.study.name)
    page = report_page(results, plan.study.name)
    with contextlib.suppress(InputError):  # missing, or cut: the report is made anew
        return page.exists() and _made_from(file)["state"] == state(plan.dump(), results)
    return False


def mark_fresh(dump: dict[str, Any], results: Path) -> None:
    """Say that the report of this plan was just made from the records as they are now, and what it holds."""
    page = report_page(results, dump["study"])
    out, tables, figures = page.parent, tables_folder(results, dump["study"]), figures_folder(results, dump["study"])
    made = [path for path in tables.glob("*") if is_reported(path.stem)]  # declared ones are written apart
    written = [page, *made, *figures.glob("*")]
    files = {path.relative_to(out).as_posix(): sha256_file(path) for path in written if path.is_file()}
    write_json(made_from_file(results, dump["study"]), sealed({"state": state(dump, results), "files": files}))


def changed_pages(plan: Plan, results: Path) -> list[Path]:
    """The files of a study's report, of what was noted at its making, that are missing or were changed since."""
    file = made_from_file(results, plan.study.name)
    try:
        files = _made_from(file)["files"] if file.exists() else {}
    except InputError:
        return [file]
    paths = {file.parent / name: digest for name, digest in files.items()}
    return [path for path, known in paths.items() if not path.is_file() or sha256_file(path) != known]


def _made_from(file: Path) -> dict[str, Any]:
    return {"state": "", "files": {}} | read_sealed(file, "delete it, and the report is made anew")
