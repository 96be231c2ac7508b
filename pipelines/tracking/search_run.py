"""The runs of a search's trials, once it is closed: what was tried, and how far it got."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.colours import colour
from pipelines.files import read_json
from pipelines.tracking import fields
from pipelines.tracking.content import Content, Final
from pipelines.tracking.marks import Mark
from pipelines.tracking.tree import TrackedEncoder, TrackedRow

FILE = "trials.json"


def trial_contents(search: TrackedEncoder, row: TrackedRow, closed: Content) -> Iterator[Content]:
    """One a trial of the search, whose own run ``closed`` describes; none before it is closed."""
    file = (search.trunk or Path()) / FILE
    if closed.status == "FINISHED" and file.exists():
        for trial in read_json(file):
            yield _content(trial, search, row, closed)


def _content(trial: dict[str, Any], search: TrackedEncoder, row: TrackedRow, closed: Content) -> Content:
    slot, value = trial["slot"], trial["value"]
    text = hashlib.sha256(json.dumps(trial, sort_keys=True).encode()).hexdigest()
    tags = fields.tags(method=row.label, kind="trial", level="trial", slot=slot, outcome=trial["state"].lower())
    return Content(
        key=f"{search.key}-trial-{slot}",
        name=f"trial {slot}",
        mark=Mark.of(None, [text]),
        params={fields.clean(name): str(given) for name, given in trial["params"].items()},
        tags=tags | fields.tags(**{"mlflow.runColor": colour(row.method)}),
        status="FINISHED" if value is not None else "FAILED",
        started=closed.started,
        ended=closed.ended,
        finals=(Final(text, closed.ended, {} if value is None else {"tune/value": float(value)}),),
    )
