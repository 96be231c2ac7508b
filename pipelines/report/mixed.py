"""Which cells of a table rest on records that were made by different code, or by code that has changed since."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelines.acceptance import Standing, standing
from pipelines.report.study import AnySpec, Result, Results
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.made_by import code_of

MIXED, OLD = "¶", "*"
Standings = Mapping[tuple[str, str], Standing]
"""(stage, key) -> how a record stands to the code of now; what is not in it is not judged."""
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Codes(Generic[K]):
    """Of one table, by cell.

    files     source files about whose meaning records of the table disagree, sorted
    mixed     the cells with a record that was made by one of them, and that nobody accepted
    old       the cells with a record whose code has changed since, or is not known, and that nobody accepted
    accepted  how many records of earlier code somebody accepted
    all_old   whether that holds of every cell: a mark on each would tell nothing
    """

    files: tuple[str, ...]
    mixed: frozenset[K]
    old: frozenset[K]
    accepted: int
    all_old: bool = False

    def marks(self, cell: K) -> str:
        """What is raised after a cell's number."""
        return MIXED * (cell in self.mixed) + OLD * (cell in self.old and not self.all_old)

    def remarks(self) -> Iterator[str]:
        """What the marks mean, and which files it is about."""
        if self.mixed:
            yield (
                f"{MIXED} The table mixes codes: records behind these cells were made by different states of "
                f"{', '.join(self.files)}. Their numbers may differ for that reason alone."
            )
        if self.old:
            which = "Behind every cell is a record that" if self.all_old else f"{OLD} A record behind the cell"
            yield f"{which} was made by code that has changed since, or that is not known; the command plan names the files."
        if self.accepted:
            yield f"Records of earlier code that somebody accepted as they stand: {self.accepted}."


def standings(results: Results) -> Standings:
    """Of all finished jobs, beside the code that would make them now."""
    return {job.place: standing(job.record, job.folder, code_of(job.spec)) for job in results.all if job.record}


def codes_of(results: Results, cells: Mapping[K, Sequence[Result[EvaluateSpec]]], judgements: Standings) -> Codes[K]:
    """``cells``: the evaluations behind each; what they were made from counts too."""
    behind = {cell: _behind(results, jobs) for cell, jobs in cells.items()}
    records = {(job.stage, job.key): job.record for jobs in behind.values() for job in jobs if job.record}
    judged = {place: judgements.get(place) for place in records}
    unaccepted = {place: record for place, record in records.items() if judged[place] != "accepted"}
    digests: dict[str, set[str]] = {}
    for record in unaccepted.values():
        for file, digest in record.code.items():
            digests.setdefault(file, set()).add(digest)
    files = {file for file, found in digests.items() if len(found) > 1}
    places = {cell: [(job.stage, job.key) for job in jobs if job.record] for cell, jobs in behind.items()}
    touched = {place for place, record in unaccepted.items() if files & set(record.code)}
    mixed = {cell for cell, of in places.items() if touched & set(of)}
    old = {cell for cell, of in places.items() if any(judged[each] in ("changed", "unknown") for each in of)}
    accepted = sum(found == "accepted" for found in judged.values())
    all_old = len(old) > 1 and all(cell in old for cell, of in places.items() if of)
    return Codes(tuple(sorted(files)), frozenset(mixed), frozenset(old), accepted, all_old)


def _behind(results: Results, jobs: Iterable[Result[EvaluateSpec]]) -> list[Result[AnySpec]]:
    return [each for job in jobs for each in results.line(job)]
