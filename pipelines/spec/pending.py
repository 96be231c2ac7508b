"""What is left to do: records decide, and nothing else. Snakemake is told of these units only."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import digest, read_json, sha256_file, write_json
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import made_from_file, marker, record_file, units_file
from pipelines.spec.plan import Place, Plan
from pipelines.spec.units import Unit, units


class Pending:
    """The units of some plans that have a job without a record, and where each job belongs."""

    def __init__(self, found: Iterable[Unit]) -> None:
        self.units = {(unit.stage, unit.name): unit for unit in found}
        self._of = {job.place: unit for unit in self.units.values() for job in unit.jobs}

    @classmethod
    def of(cls, plans: Iterable[Plan], results: Path) -> "Pending":
        """What these plans still need; InputError where the files of a data set to be packed are missing."""
        plans = list(plans)
        for made in plans:
            check_files(made, results)
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        return cls(units(job for job in jobs.values() if not job.done(results)))

    @classmethod
    def read(cls, plans: Iterable[Plan], results: Path) -> "Pending":
        """What the run that is going on had to do when it began: a job on another machine belongs to one of its units."""
        jobs = {place: job for made in plans for place, job in made.jobs.items()}
        listed = read_json(units_file(results))
        return cls(Unit(unit["stage"], unit["name"], _jobs(unit, jobs)) for unit in listed)

    def write(self, results: Path) -> None:
        """Leave the units for ``read``, and take away markers of an earlier run whose records are gone since."""
        for stage, name in self.units:
            marker(results, stage, name).unlink(missing_ok=True)
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
    return file.exists() and read_json(file) == {"state": state(plan.dump(), results)}


def mark_fresh(dump: dict[str, Any], results: Path) -> None:
    """Say that the report of this plan was just made from the records as they are now."""
    write_json(made_from_file(results, dump["study"]), {"state": state(dump, results)})
