"""What a run was asked for, of all that a study still lacks: with --until or another target it is a part."""

from collections.abc import Collection, Iterable, Mapping

from pipelines.spec.job import Job
from pipelines.spec.units import Unit

Place = tuple[str, str]
"""A stage, and the name of a unit."""


def asked_for(
    pending: Mapping[Place, Unit], jobs: Iterable[Job], wanted: Collection[Place]
) -> tuple[dict[Place, Unit], list[Job]]:
    """The pending units that are wanted, and the jobs to count: those of these units, and all that are done already."""
    units = {place: unit for place, unit in pending.items() if place in wanted}
    others = {job.place for place, unit in pending.items() if place not in wanted for job in unit.jobs}
    return units, [job for job in jobs if job.place not in others]
