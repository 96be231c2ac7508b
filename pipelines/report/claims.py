"""The verdict on every claim of a study, from paired seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.report.behind import Behind, of_cell, of_jobs, of_parts
from pipelines.report.cells import Cell, Row
from pipelines.report.comparison import Comparison
from pipelines.report.monitored import last_readings
from pipelines.report.study import Results
from pipelines.spec.claims import PlannedClaim, PlannedRuns
from pipelines.spec.jobs import PretrainSpec
from pipelines.statistics.claims import Decision, Verdict, judge
from pipelines.statistics.paired import Difference

Values = Mapping[int, NDArray[np.float64]]
"""Seed -> a number (), or whether each test image was right, as a share of the rows averaged (m,)."""


@dataclass(frozen=True)
class JudgedClaim:
    """A claim on one data set.

    place      the data set, and where the encoders were pretrained when that was elsewhere
    unit       points, or none for a monitor's own
    planned    seeds that both groups have in the plan
    verdict    in that unit; None while the groups share no finished seed
    """

    claim: PlannedClaim
    place: str
    unit: str
    planned: int
    verdict: Verdict | None
    behind: Behind | None = field(default=None, compare=False)

    @property
    def decision(self) -> Decision:
        return self.verdict.decision if self.verdict else "not enough runs"

    @property
    def outcome(self) -> str:
        """The decision; where two sides were claimed equal, in words that say which is ahead if they are not."""
        if self.claim.relation != "equivalent" or self.verdict is None:
            return self.decision
        if self.decision == "supported":
            return f"equal within {self.claim.margin:g}{f' {self.unit}' if self.unit else ''}"
        if self.decision == "contradicted":
            return "ahead" if self.verdict.difference.estimate.mean > 0 else "behind"
        return self.decision


@dataclass(frozen=True)
class _Side:
    """One group's numbers: what every seed has (in percent, or a monitor's unit), its answers, the seeds planned."""

    values: Values
    correct: Values
    planned: int
    behind: tuple[Behind | None, ...] = ()


def judged(results: Results, found: Sequence[Comparison]) -> list[JudgedClaim]:
    """Every claim on every data set it is about, in the order of the study file."""
    made = []
    for claim in results.claims:
        made += _by_monitor(claim, results) if claim.monitor else _by_protocol(claim, found)
    return made


def _by_protocol(claim: PlannedClaim, found: Sequence[Comparison]) -> list[JudgedClaim]:
    made = []
    for comparison in found:
        name = comparison.dataset.short_name
        if claim.dataset in (None, name):
            for origin in dict.fromkeys(row.trained_on for row in comparison.rows if row.trained_on):
                sides = _sides(claim, comparison, origin)
                place = name if origin == name else f"{name} (from {origin})"
                made.append(_judged(claim, place, *sides))
    return made


def _sides(claim: PlannedClaim, comparison: Comparison, origin: str) -> tuple[_Side, _Side]:
    """The two groups on one data set, of encoders from one data set."""
    rows = [_rows(runs, comparison, origin) for runs in (claim.first, claim.second)]
    for mine, others in ((0, 1), (1, 0)):
        if (claim.first, claim.second)[mine].untrained:
            floors = [comparison.own_floor(row) for row in rows[others]]
            rows[mine] = [floor for floor in dict.fromkeys(floors) if floor]
    sides = []
    for runs, chosen, over in zip(
        (claim.first, claim.second), rows, (claim.first_over, claim.second_over), strict=True
    ):
        side = _measured(runs, chosen, comparison)
        sides.append(_minus(side, _measured(over, _rows(over, comparison, origin), comparison)) if over else side)
    return sides[0], sides[1]


def _measured(runs: PlannedRuns, rows: Sequence[Row], comparison: Comparison) -> _Side:
    """What these rows have in the column that the runs are judged by."""
    column = comparison.column(runs.metric or "")
    if column is None:
        return _of_cells([], [])
    return _of_cells(
        [comparison.cells[row, column] for row in rows], [of_cell(comparison, row, column) for row in rows]
    )


def _rows(runs: PlannedRuns, comparison: Comparison, origin: str) -> list[Row]:
    return [row for row in comparison.rows if row.label in runs.labels and row.trained_on in (None, origin)]


def _of_cells(cells: Sequence[Cell], behind: Sequence[Behind | None]) -> _Side:
    """Cells averaged seed by seed; a floor that was measured once is the same number for every seed."""
    if not cells:
        return _Side({}, {}, 0)
    seeds = [cell for cell in cells if cell.expected > 1 or set(cell.by_seed) != {0}] or list(cells)
    planned = min(cell.expected for cell in seeds)
    common = set.intersection(*(set(cell.by_seed) for cell in seeds))
    values = {seed: _mean([_at(cell.by_seed, seed) for cell in cells]) for seed in sorted(common)}
    kept = {}
    if all(cell.correct for cell in cells):
        kept = {seed: _mean([_at(cell.correct or {}, seed) for cell in cells]) for seed in values}
    return _Side(values, kept, planned, tuple(behind))


def _at(by_seed: Mapping[int, object], seed: int) -> object:
    return by_seed[seed] if seed in by_seed else next(iter(by_seed.values()))


def _mean(values: Sequence[object]) -> NDArray[np.float64]:
    return np.mean(np.asarray(values, dtype=np.float64), axis=0)


def _minus(side: _Side, less: _Side) -> _Side:
    """The gain, seed by seed; of images no longer a share in [0, 1], so that seeds alone are counted."""
    values = {seed: side.values[seed] - less.values[seed] for seed in side.values if seed in less.values}
    return _Side(values, {}, min(side.planned, less.planned), side.behind + less.behind)


def _by_monitor(claim: PlannedClaim, results: Results) -> list[JudgedClaim]:
    jobs = results.of(PretrainSpec)
    places = dict.fromkeys(job.dataset for job in jobs if claim.dataset in (None, job.dataset))
    made = []
    for place in places:
        sides = []
        for runs, over in ((claim.first, claim.first_over), (claim.second, claim.second_over)):
            side = _monitored(runs, claim, results, place)
            sides.append(_minus(side, _monitored(over, claim, results, place)) if over else side)
        made.append(_judged(claim, place, sides[0], sides[1]))
    return made


def _monitored(runs: PlannedRuns, claim: PlannedClaim, results: Results, place: str) -> _Side:
    """The last readings of a number during training."""
    monitor, cells, behind = claim.monitor or "", [], []
    for label in runs.labels:
        jobs = [job for job in results.of(PretrainSpec) if (job.label, job.dataset) == (label, place)]
        cells.append(last_readings(jobs, monitor))
        values = [_reading(cells[-1].by_seed.get(job.spec.seed)) for job in jobs]
        behind.append(of_jobs(f"{place} · {label} · last reading of {monitor}", jobs, values))
    return _of_cells(cells, behind)


def _reading(value: float | None) -> str:
    return "no finite number" if value is None else f"{value:.4g}"


def _judged(claim: PlannedClaim, place: str, first: _Side, second: _Side) -> JudgedClaim:
    unit = "" if claim.monitor else "points"
    seeds, planned = _common(first, second)
    behind = of_parts(f"{place} · {claim.text}", first.behind + second.behind)
    verdict = _verdict(claim, first, second, seeds) if seeds else None
    return JudgedClaim(claim, place, unit, planned, verdict, behind)


def _verdict(claim: PlannedClaim, first: _Side, second: _Side, seeds: Sequence[int]) -> Verdict:
    """Over these seeds: of single test images where both sides kept what was said of the same ones."""
    if first.correct and second.correct:
        pair = [np.stack([_pick(side.correct, seed) for seed in seeds]) for side in (first, second)]
        if pair[0].shape == pair[1].shape and pair[0].ndim == 2:
            return _in_points(judge(pair[0], pair[1], claim.relation, claim.margin / 100))
    a, b = (np.array([float(_pick(side.values, seed)) for seed in seeds]) for side in (first, second))
    return judge(a, b, claim.relation, claim.margin)


def _common(first: _Side, second: _Side) -> tuple[list[int], int]:
    """The seeds both have, and how many both will have; a side measured once goes with every seed of the other."""
    once = [side.planned == 1 and set(side.values) == {0} for side in (first, second)]
    if once[0] != once[1]:
        many = second if once[0] else first
        return sorted(many.values), many.planned
    return sorted(set(first.values) & set(second.values)), min(first.planned, second.planned)


def _pick(values: Values, seed: int) -> NDArray[np.float64]:
    return values[seed] if seed in values else next(iter(values.values()))


def _in_points(verdict: Verdict) -> Verdict:
    """A verdict on fractions, in points."""
    difference = verdict.difference
    found = difference.estimate
    low, high = (None if end is None else 100 * end for end in (found.low, found.high))
    scaled = replace(found, mean=100 * found.mean, sd=None if found.sd is None else 100 * found.sd, low=low, high=high)
    changed: Difference = replace(difference, estimate=scaled)
    return replace(verdict, margin=100 * verdict.margin, difference=changed)
