"""How far off the price was that ``plan --cost`` named when the work was planned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.durations import duration
from pipelines.report.study import AnySpec, Result, Results
from pipelines.spec.job import Place
from pipelines.spec.price import ASSUMED, Price, Prices
from pipelines.spec.resources import CORE_GFLOPS, PACKED

WORDS = {
    "measured": "by jobs of the same work that had been done",
    "scaled": "scaled from other jobs that had been done",
    "assumed": f"by the built-in table: {CORE_GFLOPS:g} billion multiply-adds a second on one core, {PACKED:g} s an "
    f"image that is packed, at least {ASSUMED:g} s for a job that does not train",
}
"""Source of a price -> how it was come by."""


@dataclass(frozen=True)
class Foreseen:
    """Prices of a study's jobs.

    prices  of each job, as noted when the run that did it began; else all by the built-in table
    noted   whether they were noted
    """

    prices: Mapping[Place, Price]
    noted: bool

    @classmethod
    def of(cls, results: Results) -> "Foreseen":
        """As noted; of a study whose runs noted none, what the built-in table says."""
        if results.foretold:
            return cls(results.foretold, True)
        table = Prices([], results.counted)
        return cls({job.place: table.price(job.spec) for job in results.all}, False)

    def finished(self, jobs: Iterable[Result[AnySpec]]) -> list[tuple[float, Price]]:
        """(seconds taken, price) of the finished jobs that had a price: one that was done before the study has none."""
        found = [(job.record, self.prices.get(job.place)) for job in jobs]
        return [(record.seconds, price) for record, price in found if record and price]

    def off_by(self, jobs: Iterable[Result[AnySpec]]) -> float | None:
        """Seconds measured over seconds foreseen; None where no such job is finished."""
        found = self.finished(jobs)
        return sum(took for took, _ in found) / sum(price.seconds for _, price in found) if found else None

    def sentence(self, jobs: Iterable[Result[AnySpec]]) -> str:
        """What the finished jobs took beside what was foreseen for them; empty where none is finished."""
        found = self.finished(jobs)
        if not found:
            return ""
        by_source: dict[str, float] = {}
        for _, price in found:
            by_source[price.source] = by_source.get(price.source, 0.0) + price.seconds
        several = len(by_source) > 1
        said = "; ".join(
            f"{duration(seconds)} {WORDS[source]}" if several else WORDS[source]
            for source, seconds in by_source.items()
        )
        when = (
            "When these runs began, plan --cost foresaw"
            if self.noted
            else "No price was noted; before anything is measured, plan --cost foresees"
        )
        took, foreseen = sum(took for took, _ in found), sum(by_source.values())
        jobs_took = "1 finished job" if len(found) == 1 else f"{len(found):,} finished jobs"
        return (
            f"{jobs_took} took {duration(took)}. {when} {duration(foreseen)} for them ({said}). "
            f"They took {took / foreseen:.2g} times as long."
        )
