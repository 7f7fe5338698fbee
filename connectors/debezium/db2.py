"""Debezium's connector for Db2 (Debezium documentation, "Db2 connector").

What no setting here can show belongs to the database: the ASN capture agent running, and each table put into
capture mode. LOB columns are null while streaming (Debezium issue 2304).
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from connectors.debezium.base import Check, OrReference, Trap, Whole, traps_of
from connectors.debezium.history import WithHistory


class Db2(WithHistory):
    """Its settings."""

    NAMES_ARE_UPPER: ClassVar[bool] = True

    database_hostname: str
    database_port: Whole = 50000
    database_user: str
    database_dbname: str
    db2_platform: Annotated[Literal["LUW", "ZOS"], OrReference] = "LUW"
    cdc_control_schema: str = "ASNCDC"
    cdc_change_tables_schema: str = "ASNCDC"
    snapshot_isolation_mode: Annotated[
        Literal["exclusive", "repeatable_read", "read_committed", "read_uncommitted"], OrReference
    ] = "repeatable_read"

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of this one."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)


_CHECKS: tuple[Check[Db2], ...] = (
    Check(
        "snapshot-locks", "snapshot.isolation.mode",
        lambda m: m.snapshot_isolation_mode in {"repeatable_read", "exclusive"},
        "the snapshot locks rows (repeatable_read, the default) or tables (exclusive) against writers; set "
        "read_committed",
    ),
    Check(
        "asn-schema", "cdc.change.tables.schema", lambda m: m.cdc_control_schema != m.cdc_change_tables_schema,
        "the capture agent keeps control and change tables in one schema (ASNCDC) unless somebody moved them",
    ),
)  # fmt: skip
