"""Debezium's connector for Oracle (Debezium documentation, "Oracle connector").

What no setting here can show belongs to the database: ARCHIVELOG, minimal supplemental logging, and
`SUPPLEMENTAL LOG DATA (ALL) COLUMNS` for each captured table, else updates carry only what they changed.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from connectors.debezium.base import Check, Flag, Milliseconds, OrReference, Trap, Whole, traps_of
from connectors.debezium.history import WithHistory


class Oracle(WithHistory):
    """Its settings."""

    NAMES_ARE_UPPER: ClassVar[bool] = True

    database_hostname: str | None = None
    database_url: str | None = None
    database_port: Whole = 1528
    database_user: str
    database_dbname: str
    database_pdb_name: str | None = None
    database_connection_adapter: Annotated[
        Literal["logminer", "logminer_unbuffered", "olr", "xstream"], OrReference
    ] = "logminer"
    log_mining_strategy: Annotated[Literal["online_catalog", "redo_log_catalog", "hybrid"], OrReference] = (
        "online_catalog"
    )
    log_mining_query_filter_mode: Annotated[Literal["none", "in", "regex"], OrReference] = "none"
    log_mining_transaction_retention_ms: Milliseconds = 0
    lob_enabled: Flag = False
    archive_destination_name: str | None = None

    def collection(self, schema: str, table: str) -> str:
        """Give a table's name as signals have it: with the database that holds it."""
        return f"{self.database_pdb_name or self.database_dbname}.{schema}.{table}"

    @property
    def signal_table(self) -> str | None:
        """Give the signal table as SQL has it: without the database's name."""
        name = self.signal_data_collection
        return name.partition(".")[2] if name and name.count(".") == 2 else name  # noqa: PLR2004 - three parts

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of this one; LogMiner's only where it is what mines."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)
        if self.database_connection_adapter in {"logminer", "logminer_unbuffered"}:
            yield from traps_of(self, _LOGMINER)


_CHECKS: tuple[Check[Oracle], ...] = (
    Check(
        "address", "database.hostname", lambda m: not (m.database_hostname or m.database_url),
        "neither database.hostname nor database.url (for RAC) says where the database is",
    ),
    Check(
        "quiet-log", "heartbeat.action.query",
        lambda m: m.heartbeat_interval_ms != 0 and not m.heartbeat_action_query,
        "in a quiet database the stored SCN ages until its archive log is deleted, and capture cannot go on; write "
        "something at each heartbeat, e.g. update a one-row table",
    ),
)  # fmt: skip
_LOGMINER: tuple[Check[Oracle], ...] = (
    Check(
        "logminer-strategy", "log.mining.strategy", lambda m: m.log_mining_strategy == "redo_log_catalog",
        "redo_log_catalog is deprecated and writes the dictionary into the redo log over and over; hybrid replaces it",
    ),
    Check(
        "logminer-strategy", "log.mining.strategy", lambda m: m.log_mining_strategy == "online_catalog",
        "after an ALTER TABLE, changes from before it can no longer be read: quiesce the table for it, or set hybrid",
    ),
    Check(
        "logminer-strategy", "log.mining.strategy",
        lambda m: m.log_mining_strategy == "hybrid" and m.lob_enabled is True,
        "hybrid does not go with lob.enabled",
    ),
    Check(
        "logminer-filter", "log.mining.query.filter.mode", lambda m: m.log_mining_query_filter_mode == "none",
        "LogMiner hands over the changes of all tables, and most are thrown away; set in",
    ),
    Check(
        "logminer-retention", "log.mining.transaction.retention.ms",
        lambda m: m.log_mining_transaction_retention_ms != 0,
        "transactions that run for longer are discarded, with their rows and without a word; set 0 and watch "
        "OldestScnAgeInMilliseconds",
    ),
    Check(
        "archive-destination", "archive.destination.name", lambda m: not m.archive_destination_name,
        "with several archive destinations any one is taken; name the one that is local and valid",
    ),
    Check(
        "lobs", "lob.enabled", lambda m: m.lob_enabled is False,
        "columns with CLOB, NCLOB and BLOB arrive as null, as if they were empty; declare none of them, or set true",
    ),
)  # fmt: skip
