"""Where Optuna keeps the trials of a study: in a journal in the job's folder, or in a PostgreSQL database.

The address of a database comes from the environment only: it may hold a password, which command lines and records would show.
"""

import functools
import os
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.database import POSTGRESQL, bounded
from pipelines.errors import DamagedFile, EnvironmentFault, InputError
from pipelines.files import write_text
from pipelines.journal import JournalLock
from pipelines.locks import locked
from pipelines.masking import masked

P = ParamSpec("P")
T = TypeVar("T")
VARIABLE = "PIPELINES_TUNING_URI"
CALL = 60
"""Seconds that a statement may take."""
PATIENCE = 300.0
"""Seconds that a worker waits for a database that does not answer: time enough to restart it."""
START = 60.0
"""Seconds that a worker waits at its start: the address may be wrong, or the server restarts or is asked by many at once."""
LOOK = 1.0
MAKING = 6_031_842_317_450_126
"""The lock of a database (any number that nobody else takes) under which Optuna makes its tables: many workers that find an
empty database at once would all make them, and all but one fail."""
IDENTITY = ".study"


def address() -> str | None:
    """The database that the environment names; None: the journal. InputError when it is no PostgreSQL address."""
    given = os.environ.get(VARIABLE)
    if given and given.partition("://")[0] not in POSTGRESQL:
        raise InputError(
            f"{VARIABLE}={masked(given)}: must be postgresql://USER:PASSWORD@HOST/NAME; "
            "unset it for a journal in the job's folder"
        )
    return given or None


def study_name(folder: Path, name: str, database: str | None) -> str:
    """What Optuna calls the study. In a database it also has an id of the job's folder, for others may search the same there.

    A deleted folder takes its id along, so the study that is made after it starts anew.
    """
    if database is None:
        return name
    path = folder / IDENTITY
    with locked(folder / f"{IDENTITY}.lock"):
        if not path.exists():
            write_text(path, uuid.uuid4().hex)
        return f"{name}-{path.read_text(encoding='utf-8')}"


def storage(journal: Path, database: str | None) -> BaseStorage:
    """The storage of a job."""
    if database is not None:
        return _database(database)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return JournalStorage(JournalFileBackend(str(journal), JournalLock(journal)))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedFile(
                f"{journal}: not a journal of trials ({error!r}); delete the folder {journal.parent} and tune again"
            ) from None


@functools.cache
def _database(given: str) -> RDBStorage:
    address = bounded(given, CALL)
    try:
        with sqlalchemy.create_engine(address, poolclass=NullPool).connect() as alone:
            alone.execute(
                sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": MAKING}
            )  # until the connection ends
            return RDBStorage(address, engine_kwargs={"pool_pre_ping": True, "pool_size": 1})
    except (ArgumentError, ValueError) as error:
        raise InputError(f"{VARIABLE}={masked(given)}: not an address ({masked(str(error))})") from None


def patient(
    call: Callable[P, T], wait: float | None = None, stop: Callable[[], bool] = lambda: False
) -> Callable[P, T]:
    """``call``, repeated while the database does not answer; EnvironmentFault after ``wait`` seconds (300 by default).

    ``stop``: whether to wait no longer, since the process was asked to end. Only for what may be done twice: an answer may
    be lost after the database has done what was asked.
    """

    @functools.wraps(call)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        end, told = time.monotonic() + (PATIENCE if wait is None else wait), False
        while True:
            try:
                return call(*args, **kwargs)
            except (StorageInternalError, SQLAlchemyError) as error:
                why = masked(" ".join(str(error.__cause__ or error).split()))[:300]
                if time.monotonic() > end or stop():
                    raise EnvironmentFault(
                        f"the database that {VARIABLE} names does not answer ({why}); finished trials are kept; "
                        "start it and run the same command again"
                    ) from None
                if not told:
                    print(f"waiting for the database that {VARIABLE} names ({why})", file=sys.stderr, flush=True)
                told = True
                time.sleep(LOOK)

    return waiting
