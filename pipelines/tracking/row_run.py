"""The run of a row of the tables: what its seeds have reached together. The runs of the seeds lie inside it."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipelines.tracking import fields
from pipelines.tracking.content import Content, Final, TrackedDataSet
from pipelines.tracking.encoder_run import NAMES
from pipelines.tracking.marks import Mark
from pipelines.tracking.names import ANSWER
from pipelines.tracking.tree import TrackedRow

SPREAD = "sd_over_seeds"
"""First part of the names of the spreads, which keeps them apart from the means in MLflow's charts."""


def row_content(row: TrackedRow, seeds: Sequence[Content]) -> Content:
    """Means over the seeds there are; params that all of them share. ``seeds`` is not empty."""
    common = set(seeds[0].params.items()).intersection(*(content.params.items() for content in seeds))
    ended = max(content.ended for content in seeds)
    expected = len(row.encoders)
    done = sum(content.status == "FINISHED" for content in seeds)
    note = f"Mean over {len(seeds)} of {expected} seeds; the runs inside are the seeds."
    told = fields.tags(method=row.label, kind=row.kind, dataset=row.dataset, level="row", seeds=f"{done} of {expected}")
    shared = {name: seeds[0].tags[name] for name in ("mlflow.runColor", NAMES, "commit", "code") if _agree(name, seeds)}
    flags = ", ".join(dict.fromkeys(flag for content in seeds for flag in filter(None, [content.tags.get("flags")])))
    return Content(
        key=row.key,
        name=row.label,
        mark=Mark(records=frozenset().union(*(content.mark.records for content in seeds))),
        params=dict(sorted(common)),
        tags=told | shared | fields.tags(flags=flags, **{"mlflow.note.content": note}),
        status=_status(seeds, expected),
        started=min(content.started for content in seeds),
        ended=ended,
        finals=(Final("", ended, over_seeds([_numbers(content) for content in seeds])),),
        datasets=_datasets(seeds),
    )


def over_seeds(seeds: Iterable[dict[str, float]]) -> dict[str, float]:
    """Every metric's mean over the seeds that have it, and of what was evaluated the sample standard deviation (n - 1)."""
    values: dict[str, list[float]] = defaultdict(list)
    for seed in seeds:
        for name, value in seed.items():
            values[name].append(value)
    means = {name: statistics.fmean(found) for name, found in values.items()}
    spreads = {
        f"{SPREAD}/{name}": statistics.stdev(found)
        for name, found in values.items()
        if len(found) > 1 and not name.startswith((fields.PRETRAINING, ANSWER))
    }
    return means | spreads


def _numbers(content: Content) -> dict[str, float]:
    return {name: value for final in content.finals for name, value in final.metrics.items()}


def _status(seeds: Sequence[Content], expected: int) -> str:
    found = {content.status for content in seeds}
    if "RUNNING" in found:
        return "RUNNING"
    if found == {"FINISHED"} and len(seeds) == expected:
        return "FINISHED"
    return "FAILED" if "FAILED" in found else "SCHEDULED"


def _agree(name: str, seeds: Sequence[Content]) -> bool:
    return name in seeds[0].tags and len({content.tags.get(name) for content in seeds}) == 1


def _datasets(seeds: Sequence[Content]) -> tuple[TrackedDataSet, ...]:
    return tuple(dict.fromkeys(dataset for content in seeds for dataset in content.datasets))
