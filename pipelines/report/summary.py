"""What was run: state of the plan, origin of the records, settings of every method, and what it cost."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.durations import duration
from pipelines.records import Record
from pipelines.report.behind import of_jobs
from pipelines.report.comparison import short_flag
from pipelines.report.foreseen import Foreseen
from pipelines.report.opened import record_address
from pipelines.report.study import AnySpec, Result, Results
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec, RunSpec, ShardsSpec


@dataclass(frozen=True)
class Fact:
    """A line of the overview: a name, its values, and whether a reader should worry."""

    name: str
    values: tuple[str, ...]
    alert: bool = False


def overview(results: Results) -> list[Fact]:
    """What stands at the head of the report."""
    records = [job.record for job in results.all if job.record]
    missing = len(results.all) - len(records)
    pretrained = results.of(PretrainSpec)
    facts = [
        Fact("study file", (results.file,) if results.file else ()),
        Fact("study", (f"{results.study}; all its jobs with all their settings stand in plan.json beside this page",)),
        Fact("jobs", (f"{len(records)} of {len(results.all)} finished",), alert=missing > 0),
        Fact("data sets", _distinct(job.dataset for job in results.all)),
        Fact("encoders", _distinct(job.spec.encoder.short_name for job in pretrained)),
        Fact("pretraining seeds", _distinct(str(job.seed) for job in pretrained)),
        Fact("commit", _distinct(_commit(record.commit, record.dirty) for record in records), _mixed(records)),
        Fact("code", _codes(records)),
        Fact("shards", _shards(results)),
        Fact("device", _distinct(record.device for record in records)),
        Fact("versions", _versions(record.versions for record in records)),
    ]
    if records:
        seconds = sum(record.seconds for record in records)
        started = min(datetime.fromisoformat(record.started) for record in records)
        finished = max(datetime.fromisoformat(record.finished) for record in records)
        facts.append(Fact("time in jobs", (f"{duration(seconds)}, summed over all jobs",)))
        length = duration((finished - started).total_seconds())
        span = f"{started:%Y-%m-%d %H:%M} to {finished:%Y-%m-%d %H:%M} UTC ({length})"
        facts.append(Fact("first start to last finish", (span,)))
    return [fact for fact in facts if fact.values]


def warnings(results: Results) -> list[str]:
    """One sentence for all flagged jobs of one kind: ``pretrain moco_v2 on digits: collapsed in 2 of 6 (seeds 0, 3)``."""
    kinds: dict[tuple[str, str, str, str], list[Result[AnySpec]]] = {}
    for job in results.all:
        kinds.setdefault((job.stage, job.label, job.dataset, _detail(job)), []).append(job)
    found = []
    for (stage, label, dataset, _), jobs in kinds.items():
        for flag in dict.fromkeys(flag for job in jobs for flag in job.flags):
            name = flag.split(":", 1)[1] if ":" in flag else ""
            words = f"{short_flag(flag)}{f' ({name})' if name else ''}"
            flagged = [job for job in jobs if flag in job.flags]
            seeds = ", ".join(str(job.seed) for job in flagged if job.seed is not None)
            which = f" in {len(flagged)} of {len(jobs)} (seeds {seeds})" if seeds and len(jobs) > 1 else ""
            found.append(
                f"{stage} {label} on {dataset}: {words}{which}" if label != dataset else f"{stage} {label}: {words}"
            )
    return found


def timings_table(results: Results, caption: str) -> Table:
    """A row a stage (and a pretraining label): jobs, total, median and longest time, median images per second, and the
    total over what was foreseen for it."""
    kinds: dict[tuple[str, str], list[Result[AnySpec]]] = {}
    for job in results.all:
        kinds.setdefault((job.stage, _detail(job)), []).append(job)
    foreseen = Foreseen.of(results)
    ordered = sorted(kinds.items(), key=_stage_order)
    rows = tuple(_timing(stage, detail, jobs, foreseen.off_by(jobs)) for (stage, detail), jobs in ordered)
    header = ("stage", "kind", "finished", "total", "median", "longest", "images/s", "over foreseen")
    remarks = tuple(text for text in (foreseen.sentence(results.all),) if text)
    return Table("timings", caption, header, rows, text_columns=2, remarks=remarks, printed=Printed(keys=2))


def jobs_table(results: Results, caption: str, page: Path) -> Table:
    """Every planned job with its state. ``page``: the folder of the page, whence the jobs' records are linked to."""
    rows = tuple(
        (
            Entry(job.stage),
            Entry(job.key, address=record_address(job, page)),
            Entry(
                "done" if job.record else "missing", detail="; ".join(map(short_flag, job.flags)), alert=not job.record
            ),
            Entry(duration(job.record.seconds) if job.record else "–"),
            Entry(_commit(job.record.commit, job.record.dirty) if job.record else "–"),
        )
        for job in results.all
    )
    return Table("jobs", caption, ("stage", "job", "state", "time", "commit"), rows, text_columns=3)


def _detail(job: Result[AnySpec]) -> str:
    """What tells the jobs of a stage apart: a method, or a protocol."""
    spec = job.spec
    return spec.evaluation.use if isinstance(spec, EvaluateSpec) else job.label if isinstance(spec, RunSpec) else ""


def _timing(stage: str, detail: str, jobs: list[Result[AnySpec]], ratio: float | None) -> tuple[Entry, ...]:
    records = [job.record for job in jobs if job.record]
    seconds = [record.seconds for record in records]
    speeds = [record.images_per_second for record in records if record.images_per_second]
    times = [sum(seconds), statistics.median(seconds), max(seconds)] if seconds else []
    state = str(len(jobs)) if len(records) == len(jobs) else f"{len(records)} of {len(jobs)}"
    took = [duration(job.record.seconds) if job.record else "missing" for job in jobs]
    behind = of_jobs(f"time in jobs · {stage} {detail}".strip(), jobs, took)
    return (
        Entry(stage),
        Entry(detail or "–", muted=not detail),
        Entry(state, behind=behind),
        *([Entry(duration(time), behind=behind) for time in times] or [Entry("missing", muted=True)] * 3),
        Entry(f"{statistics.median(speeds):,.0f}" if speeds else "–", muted=not speeds, behind=behind),
        Entry("–" if ratio is None else f"{ratio:.2g} times", muted=ratio is None, behind=behind),
    )


def _stage_order(item: tuple[tuple[str, str], list[Result[AnySpec]]]) -> tuple[int, str]:
    order = ("shards", "tune", "pretrain", "evaluate")
    stage = item[0][0]
    return (order.index(stage) if stage in order else len(order), stage)


def _codes(records: Iterable[Record]) -> tuple[str, ...]:
    """``pretrain 3f2a90c1``: the digests of the sources that the jobs of a stage imported."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        if record.code_digest:
            found.setdefault(record.stage, {})[record.code_digest[:8]] = None
    return tuple(f"{stage} {' / '.join(digests)}" for stage, digests in found.items())


def _shards(results: Results) -> tuple[str, ...]:
    """``digits 90ab12cd34ef``: the beginning of the SHA-256 of index.json, which has that of every tar."""
    jobs = [(job.dataset, job.record.files.get("index")) for job in results.of(ShardsSpec) if job.record]
    return tuple(f"{dataset} {fact.sha256[:12]} (SHA-256 of its index.json)" for dataset, fact in jobs if fact)


def _commit(commit: str, dirty: bool) -> str:
    return commit[:10] + (" + uncommitted changes" if dirty else "")


def _mixed(records: Iterable[Record]) -> bool:
    states = {(record.commit, record.dirty) for record in records}
    return len(states) > 1 or any(dirty for _, dirty in states)


def _versions(each: Iterable[dict[str, str]]) -> tuple[str, ...]:
    """``torch 2.10.0``, a package once, all its versions where records differ."""
    found: dict[str, set[str]] = {}
    for versions in each:
        for package, version in versions.items():
            found.setdefault(package, set()).add(version)
    return (", ".join(f"{package} {' / '.join(sorted(found[package]))}" for package in sorted(found)),) if found else ()


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
