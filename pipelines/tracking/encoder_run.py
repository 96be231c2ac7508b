"""The run of one encoder: its pretraining's settings and curves, and every evaluation of it under a name of its own."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.colours import colour
from pipelines.history import FILE as HISTORY
from pipelines.history import read_from
from pipelines.records import FILE as RECORD
from pipelines.records import Record
from pipelines.spec.layout import SPEC
from pipelines.tracking import fields
from pipelines.tracking.content import Content, Final, TrackedDataSet, TrackedImages
from pipelines.tracking.folders import ReadJob, shards_record
from pipelines.tracking.marks import Mark, complete
from pipelines.tracking.names import VERSION, answer, measured_on
from pipelines.tracking.tree import TrackedEncoder, TrackedPart, TrackedRow

NAMES = "mlflow.replay.names"
"""The hidden tag that says by which names a run's numbers were sent, and which of them is the study's main one."""
COUNTS = ("data/train", "data/holdout", "data/test")


def encoder_content(encoder: TrackedEncoder, row: TrackedRow, main: str) -> Content | None:
    """What its run shall say; None while none of its jobs has shown any life. main: the metric that judges the study."""
    trunk = ReadJob.read(encoder.trunk) if encoder.trunk else None
    parts = [(part, ReadJob.read(part.folder)) for part in encoder.parts]
    done = [(part, job.record) for part, job in parts if job.record]
    jobs = [*([trunk] if trunk else []), *(job for _, job in parts)]
    history = trunk.history if trunk else None
    mark = Mark.of(history, [job.digest for job in jobs if job.record])
    if mark == Mark():
        return None
    records = [job.record for job in jobs if job.record]
    return Content(
        key=encoder.key,
        name=encoder.name,
        mark=mark,
        params=_params(trunk, parts)
        | {k: v for part, record in done for k, v in fields.chosen(part.prefix, record).items()},
        tags=_tags(encoder, row, records) | {NAMES: f"{VERSION} {main}"},
        status=_status(trunk, all(job.record for _, job in parts)),
        started=_started(trunk, records),
        ended=_ended(trunk, records),
        history=history,
        finals=tuple(_finals(encoder, trunk, parts, main)),
        files=_files(trunk, parts),
        datasets=tuple(_datasets(encoder)),
        weights=_weights(trunk),
        images=_images(trunk, encoder),
    )


def _status(trunk: ReadJob | None, measured: bool) -> str:
    """That of the pretraining; once it is finished, or where there is none, whether everything was measured."""
    if trunk and trunk.status != "FINISHED":
        return trunk.status
    return "FINISHED" if measured else "SCHEDULED"


def _params(trunk: ReadJob | None, parts: Iterable[tuple[TrackedPart, ReadJob]]) -> dict[str, str]:
    if trunk:
        return fields.params(trunk.spec, trunk.record.derived if trunk.record else {})
    specs = [job.spec for _, job in parts if job.spec]
    return fields.params({"source": specs[0]["source"]}, {}) if specs else {}


def _tags(encoder: TrackedEncoder, row: TrackedRow, records: list[Record]) -> dict[str, str]:
    who: Mapping[str, object] = {
        "method": row.label,
        "kind": row.kind,
        "dataset": encoder.dataset,
        "seed": encoder.seed,
    }
    shade = fields.tags(**{"mlflow.runColor": colour(row.method)})
    level = "row" if row.kind == "search" else "seed"
    flags = ", ".join(dict.fromkeys(flag for record in records for flag in record.flags))
    made = fields.made_by(records[0]) if records else {}
    return made | fields.tags(level=level, flags=flags, **who) | shade


def _finals(
    encoder: TrackedEncoder, trunk: ReadJob | None, parts: Iterable[tuple[TrackedPart, ReadJob]], main: str
) -> Iterable[Final]:
    if trunk and trunk.record:
        yield Final(trunk.digest, fields.milliseconds(trunk.record.finished), fields.final_metrics(trunk.record))
    described: set[str] = set()
    for part, job in parts:
        if job.record:
            metrics = fields.measured(part.prefix, job.record)
            metrics |= {answer(main): metrics[main]} if main in metrics else {}
            if part.dataset not in described:  # all protocols of one data set read the same features
                metrics |= fields.features(
                    measured_on(fields.REPRESENTATION, part.dataset, encoder.dataset), job.record
                )
            time = fields.milliseconds(job.record.finished)
            yield Final(job.digest, time, metrics, _dataset(part.dataset, part.shards, "evaluation"))
        described.add(part.dataset)


def _files(trunk: ReadJob | None, parts: Iterable[tuple[TrackedPart, ReadJob]]) -> dict[str, Path]:
    found = {f"evaluations/{part.prefix}.json": job.path / RECORD for part, job in parts if job.record}
    if trunk and trunk.record:
        pictures = [place for place in trunk.record.artifacts.values() if place.endswith((".png", ".jpg"))]
        names = [RECORD, SPEC, HISTORY, *pictures]
        found |= {name: trunk.path / name for name in names if (trunk.path / name).exists()}
    return found


def _datasets(encoder: TrackedEncoder) -> Iterable[TrackedDataSet]:
    if encoder.shards:
        yield _dataset(encoder.dataset, encoder.shards, "pretraining")
    for name, shards in {part.dataset: part.shards for part in encoder.parts}.items():
        yield _dataset(name, shards, "evaluation")


def _dataset(name: str, shards: Path, context: str) -> TrackedDataSet:
    record = shards_record(shards)
    profile: dict[str, Any] = {}
    if record:
        counts = {count.removeprefix("data/"): record.metrics.get(count) for count in COUNTS}
        profile = {**counts, "classes": record.derived.get("classes"), "image_size": record.derived.get("image_size")}
    return TrackedDataSet(
        name, shards.name.rpartition("-")[2][:36], f"jobs/shards/{shards.name}", json.dumps(profile), context
    )


def _weights(trunk: ReadJob | None) -> Path | None:
    place = trunk.record.artifacts.get("encoder") if trunk and trunk.record else None
    return trunk.path / place if trunk and place else None


def _images(trunk: ReadJob | None, encoder: TrackedEncoder) -> TrackedImages | None:
    """Of the size of the first view, or as packed; grey ones become three equal channels where the data set names none."""
    packed = shards_record(encoder.shards) if encoder.shards else None
    if not trunk or not packed:
        return None
    views = trunk.spec.get("views", {}).get("augmentations") or [{}]
    side = views[0].get("size") or packed.derived.get("image_size")
    return TrackedImages(trunk.spec["dataset"].get("channels") or 3, int(side)) if side else None


def _started(trunk: ReadJob | None, records: list[Record]) -> int:
    first = [next(read_from(trunk.history))[0].time] if trunk and complete(trunk.history) else []
    return min(first + [fields.milliseconds(record.started) for record in records])


def _ended(trunk: ReadJob | None, records: list[Record]) -> int:
    last = [int(trunk.history.stat().st_mtime * 1000)] if trunk and not trunk.record and complete(trunk.history) else []
    return max(last + [fields.milliseconds(record.finished) for record in records])
