"""What is left to do: records decide, and nothing else. Snakemake is told of these units only."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.acceptance import standing
from pipelines.files import digest, read_json, sha256_file, write_json
from pipelines.records import made_by, read_record
from pipelines.spec.job import Job
from pipelines.spec.layout import made_from_file, marker, record_file, report_page, units_file
from pipelines.spec.made_by import code_of
from pipelines.spec.plan import Place, Plan
from pipelines.spec.units import Unit, units


class Pending:
    """The units of some plans that have a job without a record, and where each job belongs."""

    def __init__(self, found: Iterable[Unit]) -> None:
        self.units = {(unit.stage, unit.name): unit for unit in found}
        self._of = {job.place: unit for unit in self.units.values() for job in unit.jobs}

    @classmethod
    def of(cls, plans: Iterable[Plan], results: Path, rerun_changed: bool = False) -> "Pending":
        """What these plans still need; ``rerun_changed``: also what other code made."""
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        wanted = [job for job in jobs.values() if not job.done(results) or (rerun_changed and is_changed(job, results))]
        return cls(units(wanted))

    @classmethod
    def read(cls, plans: Iterable[Plan], results: Path) -> "Pending":
        """What the run that is going on had to do when it began: a job on another machine belongs to one of its units."""
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        listed = read_json(units_file(results))
        return cls(Unit(unit["stage"], unit["name"], _jobs(unit, jobs)) for unit in listed)

    def write(self, results: Path) -> None:
        """Leave the units for ``read``; take away what stands in their way.

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
        write_json(units_file(results), listed)

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


def _clear(folder: Path) -> None:
    """Take away all that a job left; its spec stays."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "spec.json":
            path.unlink()


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
    return file.exists() and page.exists() and read_json(file) == {"state": state(plan.dump(), results)}


def mark_fresh(dump: dict[str, Any], results: Path) -> None:
    """Say that the report of this plan was just made from the records as they are now."""
    write_json(made_from_file(results, dump["study"]), {"state": state(dump, results)})
