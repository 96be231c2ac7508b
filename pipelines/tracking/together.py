"""All calls for one run of MLflow in one transaction of its SQLite file: the run is there whole or not at all.

MLflow commits some thirty times for a run, and each commit waits for the disk. Here its sessions join a transaction from
outside, as SQLAlchemy describes it ("Joining a Session into an External Transaction"). Databases with a server are left alone:
they serve others meanwhile.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.engine import Connection, Transaction
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA busy_timeout = 20000", "PRAGMA case_sensitive_like = true")
"""What MLflow sets in each of its own sessions."""


class RolledBack(Exception):
    """Nothing of the transaction was kept, since a part of it was there already: do the calls one by one."""


def tables_of(client: MlflowClient) -> SqlAlchemyStore | None:
    """The store behind a client that writes into a SQLite file itself; None for servers and other databases."""
    store = client._tracking_client.store
    return store if isinstance(store, SqlAlchemyStore) and store.engine.dialect.name == "sqlite" else None


@contextmanager
def together(store: SqlAlchemyStore) -> Iterator[None]:
    """What the store is asked for inside is kept as a whole when the block ends, and not at all when an error leaves it.

    RolledBack where MLflow took back what it could not write (a point that is there already) and would have gone on.
    """
    alone = store.ManagedSessionMaker
    with store.engine.connect() as connection, connection.begin() as transaction:
        for pragma in PRAGMAS:
            connection.exec_driver_sql(pragma)
        sessions = _Sessions(connection, transaction)
        store.ManagedSessionMaker = sessions.managed
        try:
            yield
        except Exception as error:
            raise (RolledBack() if sessions.refused else error) from None
        finally:
            store.ManagedSessionMaker = alone
        if not transaction.is_active:
            raise RolledBack


class _Sessions:
    """Makes the sessions that MLflow asks for, all in one transaction. refused: one was used after that had ended."""

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        self._connection, self._transaction = connection, transaction
        self.refused = False

    def managed(self, read_only: bool = True) -> AbstractContextManager[Any]:
        """A session that commits nothing by itself."""
        if not self._transaction.is_active:
            self.refused = True
            raise RolledBack
        return self._session()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = Session(self._connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        with session:
            try:
                yield session
                session.commit()
            except BaseException as error:
                self.refused |= isinstance(error, InvalidRequestError)  # MLflow went on after a rollback
                if self._transaction.is_active:
                    session.rollback()
                raise
