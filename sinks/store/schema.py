"""Makes the store's tables, or brings those of an older version up to date, or refuses newer ones."""

from collections.abc import Callable

from sqlalchemy import Connection, inspect, select, text

from schemas.errors import StagewatchError
from sinks.store.tables import SCHEMA_VERSION, metadata, schema_version, tasks

MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: tasks.create}
"""The step from each version to the next."""

_LOCK = 0x57A6E  # any number, the same in every worker


class StoreVersionError(StagewatchError):
    """The store was written by a newer version of this program, or its version cannot be brought forward."""


def prepare(connection: Connection) -> None:
    """Leave the tables at this program's version, within the connection's transaction.

    Safe while other workers do the same: PostgreSQL by an advisory lock, SQLite because the caller's
    transaction is `BEGIN IMMEDIATE`.

    Raises:
        StoreVersionError: they are of a version that this program cannot read; nothing was changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = _version(connection)
    if found is None:
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
        return
    if found > SCHEMA_VERSION:
        raise StoreVersionError(f"the store has version {found}, this program knows {SCHEMA_VERSION}: update it")
    for version in range(found, SCHEMA_VERSION):
        step = MIGRATIONS.get(version)
        if step is None:
            raise StoreVersionError(f"no way leads from version {version} of the store to {version + 1}")
        step(connection)
    if found < SCHEMA_VERSION:
        connection.execute(schema_version.update().values(version=SCHEMA_VERSION))


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(select(schema_version.c.version)).scalar()
