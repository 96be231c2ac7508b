"""What a tuning study chose for the run that waited for it."""

from pathlib import Path
from typing import Any

from pipelines.files import read_json
from pipelines.records import checked_file, read_record


def chosen_values(best: Path | None) -> dict[str, Any]:
    """Option path -> value, from a finished tuning job's folder; none without one."""
    if best is None:
        return {}
    values: dict[str, Any] = read_json(checked_file(read_record(best), best, "best"))["params"]
    return values
