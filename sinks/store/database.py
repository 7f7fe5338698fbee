"""The store as the rest of the program sees it: a read model in SQLite or PostgreSQL.

Written by the `StoreWriter` in `streams` from one thread of its own, read by the command line and the
desk. No decision rests on it: it may be deleted, and is filled again from Kafka.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError

from schemas.errors import StagewatchError, TryLater
from schemas.report import ReportOrder
from sinks.masking import masked
from sinks.store import between, reads
from sinks.store.costs import UnitCosts, read_costs
from sinks.store.rows import (
    AlertEventRow,
    AlertRow,
    Findings,
    IndicatorRow,
    InstanceRow,
    NotificationRow,
    StoreBatch,
    TaskRow,
)
from sinks.store.schema import prepare
from sinks.store.writes import write_batch

_BUSY_S = 10  # how long SQLite waits for another writer: many times what one batch takes
_WAL_PAUSE_S = 0.02  # a switch takes a millisecond or two
_LIMIT = 100  # of a list, unless told
_T = TypeVar("_T")


class StoreSettingError(StagewatchError):
    """The `store` setting is no URL of a database that we know; the message does not repeat it."""


class Store:
    """Instances, alerts, notifications and indicators as they stand. Thread-safe; every call blocks."""

    def __init__(self, url: str) -> None:
        """Open `sqlite:///path` (WAL) or `postgresql://user:password@host/database` and prepare its tables.

        Raises:
            StoreSettingError: another kind of URL.
            StoreVersionError: the tables are those of a newer program.
            TryLater: the database cannot be reached.
        """
        self._engine = _open(_parse(url))
        try:
            with self._begin(is_write=True) as connection:
                prepare(connection)
        except BaseException:
            self.close()
            raise

    def write(self, batch: StoreBatch) -> None:
        """Write a batch in one transaction; may be repeated, and older rows change nothing.

        Raises:
            TryLater: the database is away or busy; nothing was written, write the same batch again.
        """
        with self._begin(is_write=True) as connection:
            write_batch(connection, batch)

    def positions(self) -> dict[tuple[str, int], int]:
        """Where a writer may read on: the next offset by (topic, partition). Empty in a new store."""
        with self._begin() as connection:
            return reads.read_positions(connection)

    def instance(self, instance: str, process: str | None = None) -> InstanceRow | None:
        """One instance by its key; of several processes with the same key the last changed."""
        found = self.instances(instance=instance, process=process, limit=1)
        return found[0] if found else None

    def instances(self, *, limit: int = _LIMIT, **filters: str | None) -> list[InstanceRow]:
        """Instances, the last changed first. Filters: instance, process, org_no, status."""
        return self._read(reads.read_instances, filters, limit)

    def alerts(self, *, limit: int = _LIMIT, **filters: str | None) -> list[AlertRow]:
        """Alerts, the last raised first. Filters: rule, org_no, state, severity, process, instance, person."""
        return self._read(reads.read_alerts, filters, limit)

    def alert_events(self, alert_id: str) -> list[AlertEventRow]:
        """All events of one alert, oldest first."""
        with self._begin() as connection:
            return reads.read_alert_events(connection, alert_id)

    def notifications(self, *, limit: int = _LIMIT, **filters: str | None) -> list[NotificationRow]:
        """Notifications, the last added first.

        Filters: state, channel, alert_id, rule, process, instance, org_no, recipient_no, msg_id.
        """
        return self._read(reads.read_notifications, filters, limit)

    def tasks(self, *, limit: int = _LIMIT, **filters: str | None) -> list[TaskRow]:
        """Tasks and work orders, the last changed first. Filters: number, kind, state, person_no, org_no, instance."""
        return self._read(reads.read_tasks, filters, limit)

    def indicators(self, *, limit: int = _LIMIT, **filters: str | None) -> list[IndicatorRow]:
        """Indicator values. Filters: indicator, org_no, date."""
        return self._read(reads.read_indicators, filters, limit)

    def findings(self, order: ReportOrder, *, limit: int) -> Findings:
        """What a report rests on, as of one moment; of its anomalies the last `limit`, of their places all."""
        with self._begin() as connection:
            return Findings(
                tuple(between.read_figures(connection, order)),
                tuple(between.read_places(connection, order)),
                tuple(between.read_anomalies(connection, order, limit)),
            )

    def costs(self, since: int, until: int) -> list[UnitCosts]:
        """What each unit's messages came to that were begun in a span (epoch ms)."""
        with self._begin() as connection:
            return read_costs(connection, since, until)

    def _read(
        self, read: Callable[[Connection, reads.Filters, int], list[_T]], filters: reads.Filters, limit: int
    ) -> list[_T]:
        with self._begin() as connection:
            return read(connection, filters, limit)

    @contextmanager
    def _begin(self, *, is_write: bool = False) -> Iterator[Connection]:
        """A transaction; what a database says when it is away or busy becomes `TryLater`."""
        try:
            with self._engine.execution_options(is_write=is_write).begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise TryLater(f"the store cannot be used: {masked(str(error.orig))}") from None

    def close(self) -> None:
        """Close every connection; may be called twice."""
        self._engine.dispose()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreSettingError("store: not a URL") from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise StoreSettingError(f"store: {other} is not known; known: sqlite, postgresql")


def _open(url: URL) -> Engine:
    # hide_parameters: a failed statement must not print whom it was about.
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    in_memory = url.database in {None, "", ":memory:"}
    if not in_memory:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": _BUSY_S, "check_same_thread": False}, **pool
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
    connection.isolation_level = None  # we say BEGIN ourselves; the driver would not before a DDL statement
    _switch_to_wal(connection)  # readers do not wait for the writer
    connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last batch, and Kafka has it


def _switch_to_wal(connection: Any) -> None:  # noqa: ANN401 - the driver's own
    """Switch a new file to WAL; of several programs that open it at once all but one are told to wait.

    SQLite answers "locked" to this one statement at once, without its busy time-out (sqlite.org/wal.html).
    """
    for _ in range(round(_BUSY_S / _WAL_PAUSE_S)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: an upgrade later on would fail instead of waiting.
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
