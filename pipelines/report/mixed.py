"""Which cells of a table rest on records that were made by different code, or by code that has changed since."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.acceptance import Standing
from pipelines.report.study import AnySpec, Result, Results
from pipelines.spec.jobs import EvaluateSpec

MIXED, OLD = "¶", "*"
Standings = Mapping[tuple[str, str], Standing]
"""(stage, key) -> how a record stands to the code of now; what is not in it is not judged."""
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Codes(Generic[K]):
    """Of one table, by cell.

    files     source files about whose meaning records of the table disagree, sorted
    mixed     the cells with a record that was made by one of them
    old       the cells with a record whose code has changed since, or is not known, and that nobody accepted
    accepted  how many records of earlier code somebody accepted
    """

    files: tuple[str, ...]
    mixed: frozenset[K]
    old: frozenset[K]
    accepted: int

    def marks(self, cell: K) -> str:
        """What is raised after a cell's number."""
        return MIXED * (cell in self.mixed) + OLD * (cell in self.old)

    def remarks(self) -> Iterator[str]:
        """What the marks mean, and which files it is about."""
        if self.mixed:
            yield (
                f"{MIXED} The table mixes codes: records behind these cells were made by different states of "
                f"{', '.join(self.files)}. Their numbers may differ for that reason alone."
            )
        if self.old:
            yield f"{OLD} A record behind the cell was made by code that has changed since, or by code that is not known."
        if self.accepted:
            yield f"Records of earlier code that somebody accepted as they stand: {self.accepted}."


def codes_of(results: Results, cells: Mapping[K, Sequence[Result[EvaluateSpec]]], standing: Standings) -> Codes[K]:
    """``cells``: the evaluations behind each; what they were made from counts too."""
    behind = {cell: _behind(results, jobs) for cell, jobs in cells.items()}
    records = {(job.stage, job.key): job.record for jobs in behind.values() for job in jobs if job.record}
    digests: dict[str, set[str]] = {}
    for record in records.values():
        for file, digest in record.code.items():
            digests.setdefault(file, set()).add(digest)
    files = {file for file, found in digests.items() if len(found) > 1}
    mixed = {cell for cell, jobs in behind.items() if any(job.record and files & set(job.record.code) for job in jobs)}
    judged = {place: standing.get(place) for place in records}
    old = {
        cell
        for cell, jobs in behind.items()
        if any(judged.get((job.stage, job.key)) in ("changed", "unknown") for job in jobs)
    }
    accepted = sum(found == "accepted" for found in judged.values())
    return Codes(tuple(sorted(files)), frozenset(mixed), frozenset(old), accepted)


def _behind(results: Results, jobs: Iterable[Result[EvaluateSpec]]) -> list[Result[AnySpec]]:
    return [each for job in jobs for each in results.line(job)]
