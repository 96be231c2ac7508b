"""The folder of one job: its spec, its record with every file that it names, and what an unfinished one goes on from."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipelines import history
from pipelines.acceptance import FILE as ACCEPTED
from pipelines.acceptance import acceptances
from pipelines.checking.fault import Fault, Mend, Tick, fault
from pipelines.checking.packed import faults_of_shards
from pipelines.errors import DamagedFile, InputError
from pipelines.records import FILE, Record, checked_file
from pipelines.spec.folder import open_job, own_record
from pipelines.spec.job import Job
from pipelines.spec.layout import spec_file
from pipelines.spec.parse import parse
from pipelines.training import checkpoint

JOURNAL = "journal.log"
CHECKPOINTS = ("checkpoint*.pt", "trials/*/checkpoint*.pt")
"""Of a training, and of the trials of a search."""


def faults_of_job(job: Job, results: Path, tick: Tick) -> Iterator[Fault]:
    """All that is wrong in a job's folder; nothing where it was never begun."""
    folder, spec = job.folder(results), spec_file(results, job.stage, job.key)
    if not folder.is_dir():
        return
    try:
        open_job(folder, type(job.spec))
    except InputError as error:
        yield fault("plan", spec, error)
    if job.done(results):
        yield from _finished(job, folder, tick)
    elif not history.being_written(folder / history.FILE):
        yield from _unfinished(folder, tick)


def _finished(job: Job, folder: Path, tick: Tick) -> Iterator[Fault]:
    try:
        record = own_record(folder)
        _check_content(job, record, folder)
    except InputError as error:
        yield fault("job", folder / FILE, error)
        return
    for name, path in record.artifacts.items():
        try:
            tick(checked_file(record, folder, name).stat().st_size)
        except InputError as error:
            yield fault("job", folder / path, error)
    try:
        acceptances(folder)
    except InputError as error:
        yield fault("file", folder / ACCEPTED, error)
    if job.stage == "shards":
        yield from faults_of_shards(folder, tick)


def _check_content(job: Job, record: Record, folder: Path) -> None:
    """DamagedFile where the record's own spec gives another key; a tuned run's holds the values that were found."""
    if "best" in record.inputs:
        return
    spec = parse(type(job.spec), record.spec, f"{folder / FILE}: spec")
    if (made := Job.of(job.key.rpartition("-")[0], spec, record.inputs).key) != job.key:
        raise DamagedFile(
            f"{folder / FILE}: its spec and inputs give the key {made}; delete the file and run its job again"
        )


def _unfinished(folder: Path, tick: Tick) -> Iterator[Fault]:
    """What the next attempt would go on from."""
    checks: list[tuple[Mend, Path, Callable[[Path], object]]] = [("job", folder / history.FILE, history.read)]
    for path in sorted(path for pattern in CHECKPOINTS for path in folder.glob(pattern)):
        owner = "/".join((folder.name, *path.parent.relative_to(folder).parts))  # of a trial with its place
        checks.append(("file", path, partial(checkpoint.load, job=owner)))
    checks.append(("job", folder / JOURNAL, _check_journal))
    for mend, path, check in checks:
        if path.exists():
            try:
                check(path)
            except InputError as error:  # without the last checkpoint training goes on from the one before
                yield fault(mend, path, error)
            tick(path.stat().st_size)


def _check_journal(path: Path) -> None:
    """A half line at the end is a kill's, and is cut off by the next worker."""
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        try:
            assert isinstance(json.loads(line), dict) or not line.endswith(b"\n")
        except (ValueError, AssertionError, RecursionError):
            if line.endswith(b"\n"):
                raise DamagedFile(
                    f"{path}: line {number} is damaged ({line[:60]!r}); delete the file, and all trials are made anew"
                ) from None
