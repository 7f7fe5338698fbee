"""Debezium's connector for SQL Server (Debezium documentation, "SQL Server connector").

What no setting here can show belongs to the server: CDC enabled for the database and each table, the SQL Server
Agent running, and a new capture instance after a column was added.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from connectors.debezium.base import Check, OrReference, Trap, Whole, traps_of
from connectors.debezium.history import WithHistory


class SqlServer(WithHistory):
    """Its settings."""

    database_hostname: str
    database_port: Whole = 1433
    database_user: str
    database_names: str = Field(min_length=1)
    database_encrypt: str = "true"
    snapshot_isolation_mode: Annotated[
        Literal["exclusive", "snapshot", "repeatable_read", "read_committed", "read_uncommitted"], OrReference
    ] = "repeatable_read"

    def table_topic(self, schema: str, table: str) -> str:
        """Give the topic of a table: this connector puts the database's name in front."""
        return f"{self.topic_prefix}.{self.collection(schema, table)}"

    def collection(self, schema: str, table: str) -> str:
        """Give a table's name as signals have it: with the (first) database's."""
        return f"{self.database_names.split(',')[0].strip()}.{schema}.{table}"

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of this one."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)


def _has_idle_tasks(model: SqlServer) -> bool:
    tasks: object = model.tasks_max  # may be a reference
    return isinstance(tasks, int) and tasks > len(model.database_names.split(","))


_CHECKS: tuple[Check[SqlServer], ...] = (
    Check(
        "snapshot-locks", "snapshot.isolation.mode",
        lambda m: m.snapshot_isolation_mode in {"repeatable_read", "exclusive"},
        "the snapshot locks rows (repeatable_read, the default) or tables (exclusive) against writers; set snapshot "
        "where the database allows it, else read_committed",
    ),
    Check(
        "encryption", "database.encrypt", lambda m: m.database_encrypt == "false",
        "user, password and rows travel in the clear",
    ),
    Check(
        "tasks", "tasks.max", _has_idle_tasks,
        "one task a database is all that is used",
    ),
)  # fmt: skip
