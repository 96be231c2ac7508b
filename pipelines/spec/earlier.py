"""Finished jobs of other studies in the same results folder: what they took teaches what like jobs will take."""

import contextlib
import functools
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

from pipelines.errors import Problem
from pipelines.records import FILE, Record, read_record
from pipelines.spec.job import Place
from pipelines.spec.jobs import EvaluateSpec, JobSpec, PretrainSpec, ShardsSpec, TuneSpec
from pipelines.spec.layout import jobs_folder
from pipelines.spec.parse import parse

MOST = 100
"""Records of a stage that are read, at most: reading one takes about 3 ms, and a folder may hold tens of thousands."""
KINDS: dict[str, type[JobSpec]] = {kind.stage: kind for kind in (ShardsSpec, TuneSpec, PretrainSpec, EvaluateSpec)}
"""Shards first: they say how many images the others are of."""


def earlier(results: Path, planned: Collection[Place]) -> Iterator[tuple[JobSpec, Record]]:
    """Finished jobs that are not planned here; one that does not read, or is of an earlier program, is left out."""
    for stage, kind in KINDS.items():
        folders = (path.parent for path in sorted((jobs_folder(results) / stage).glob(f"*/{FILE}")))
        others = (folder for folder in folders if (stage, folder.name) not in planned)
        for folder in itertools.islice(others, MOST):
            with contextlib.suppress(FileNotFoundError):  # set aside just now
                if found := _finished(folder, kind, (folder / FILE).stat().st_mtime_ns):
                    yield found


@functools.cache  # Snakemake prices study after study, by the same records
def _finished(folder: Path, kind: type[JobSpec], written: int) -> tuple[JobSpec, Record] | None:
    """None of one that whoever needs it will tell of. written: when, so that a record made anew is read anew."""
    try:
        record = read_record(folder)
        return parse(kind, record.spec, f"{folder / FILE}: spec"), record
    except Problem:
        return None
