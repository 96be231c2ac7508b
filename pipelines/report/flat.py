"""Records as one flat table: a row a planned job, also for those that have not finished.

Columns, in this order:

study, stage, key, state     state is done or missing
label, source, dataset, seed, protocol
started, finished, seconds, images_per_second, device, commit, dirty, flags (joined by a space)
metrics.NAME                 every metric of any job, in its own unit (accuracies are fractions in [0, 1])
derived.NAME                 every derived number, e.g. derived.lr
versions.PACKAGE
inputs, spec                 as JSON text
"""

from pathlib import Path
from typing import Any

import pandas

from pipelines.files import canonical, replacing
from pipelines.report.study import AnySpec, Result, Results
from pipelines.report.tables import harmless
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.layout import RECORDS

_FIRST = ("study", "stage", "key", "state", "label", "source", "dataset", "seed", "protocol")
_RAN = ("started", "finished", "seconds", "images_per_second", "device", "commit", "dirty", "flags")


def records_frame(results: Results) -> pandas.DataFrame:
    """The table described above; what a job does not have is empty (None or NaN)."""
    rows = [_row(results.study, job) for job in results.all]
    names = {name for row in rows for name in row}
    further = [
        sorted(name for name in names if name.startswith(part)) for part in ("metrics.", "derived.", "versions.")
    ]
    columns = [*_FIRST, *_RAN, *(name for part in further for name in part), "inputs", "spec"]
    frame = pandas.DataFrame(rows, columns=columns)
    frame["seed"] = frame["seed"].astype("Int64")
    frame["dirty"] = frame["dirty"].astype("boolean")
    return frame


def write_frame(frame: pandas.DataFrame, folder: Path) -> list[Path]:
    """Write records.csv and records.parquet into ``folder``, each in one move; the paths."""
    csv = folder / RECORDS
    parquet = csv.with_suffix(".parquet")
    with replacing(csv) as part:
        texts = frame.select_dtypes(["object", "string"])
        safe = frame.assign(**texts.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell))
        safe.to_csv(part, index=False, lineterminator="\n")
    with replacing(parquet) as part:
        _uniform(frame).to_parquet(part, index=False)
    return [csv, parquet]


def _row(study: str, job: Result[AnySpec]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "study": study,
        "stage": job.stage,
        "key": job.key,
        "state": "done" if job.record else "missing",
        "label": None if job.stage == "shards" else job.label,
        "source": job.origin if job.stage in ("pretrain", "evaluate") else None,
        "dataset": job.dataset,
        "seed": job.seed,
        "protocol": job.spec.evaluation.use if isinstance(job.spec, EvaluateSpec) else None,
        "inputs": canonical(job.inputs),
        "spec": canonical(job.spec.model_dump(mode="json")),
    }
    if job.record is None:
        return row
    record = job.record
    row |= {name: getattr(record, name) for name in _RAN if name != "flags"}
    row["flags"] = " ".join(record.flags)
    for part in ("metrics", "derived", "versions"):
        row |= {f"{part}.{name}": value for name, value in getattr(record, part).items()}
    return row


def _uniform(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Columns of one type each, as Parquet needs: a derived column that mixes numbers and text becomes text."""
    fixed = frame.copy()
    for name in fixed.columns:
        if name.startswith(("metrics.", "derived.")) and fixed[name].dtype == object:
            values = [value for value in fixed[name] if value is not None and value == value]
            if all(isinstance(value, int | float) for value in values):
                fixed[name] = pandas.to_numeric(fixed[name])
            else:
                fixed[name] = [None if value is None or value != value else str(value) for value in fixed[name]]
    return fixed
