"""Debezium's connector for PostgreSQL (Debezium documentation, "PostgreSQL connector")."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from connectors.debezium.base import ADAPTIVE, Check, Debezium, Flag, OrReference, Trap, Whole, traps_of


class Postgres(Debezium):
    """Its settings."""

    database_hostname: str
    database_port: Whole = 5432
    database_user: str
    database_dbname: str
    plugin_name: Annotated[Literal["decoderbufs", "pgoutput"], OrReference] = "decoderbufs"
    slot_name: str = Field("debezium", pattern=r"^[a-z0-9_]{1,63}$")
    slot_drop_on_stop: Flag = False
    publication_name: str = "dbz_publication"
    publication_autocreate_mode: Annotated[
        Literal["all_tables", "disabled", "filtered", "no_tables"], OrReference
    ] = "all_tables"  # fmt: skip
    replica_identity_autoset_values: str | None = None

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of this one."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)

    def unique(self) -> Iterator[tuple[str, str]]:
        """Give what no two connectors may share: a slot is a server's, a publication a database's."""
        yield from super().unique()
        server = f"{self.database_hostname}:{self.database_port}"
        yield "slot.name", f"{self.slot_name} on {server}"
        yield "publication.name", f"{self.publication_name} in {self.database_dbname} on {server}"


_CHECKS: tuple[Check[Postgres], ...] = (
    Check(
        "time-units", "value.converter.schemas.enable", lambda m: m.has_no_schema and m.time_precision_mode in ADAPTIVE,
        "TIMESTAMP(0) to (3) arrive as milliseconds, all others as microseconds, and only the schema tells which: a "
        "wrong unit puts a row into 1970; set true, or time.precision.mode connect and declare the source with "
        "timestamp_unit ms",
    ),
    Check(
        "plugin", "plugin.name", lambda m: m.plugin_name == "decoderbufs",
        "decoderbufs (the default) must be installed on the server; pgoutput is part of it",
    ),
    Check(
        "slot", "slot.name", lambda m: m.slot_name == "debezium",
        "the default slot is taken by whoever comes first; give this connector one of its own",
    ),
    Check(
        "slot", "slot.drop.on.stop", lambda m: m.slot_drop_on_stop is True,
        "a stop drops the slot, and what is changed until the next start is lost",
    ),
    Check(
        "publication", "publication.name", lambda m: m.publication_name == "dbz_publication",
        "the default publication is shared by all connectors of the database; give this one its own",
    ),
    Check(
        "publication", "publication.autocreate.mode", lambda m: m.publication_autocreate_mode == "all_tables",
        "publishes every table of the database and needs a superuser; set filtered (or disabled, and make it yourself)",
    ),
    Check(
        "quiet-log", "heartbeat.action.query",
        lambda m: m.heartbeat_interval_ms != 0 and not m.heartbeat_action_query,
        "while others write to the server and these tables are quiet, its log grows without end; write something "
        "at each heartbeat: select pg_logical_emit_message(false, 'heartbeat', now()::text) "
        "with message.prefix.exclude.list heartbeat",
    ),
    Check(
        "replica-identity", "replica.identity.autoset.values", lambda m: not m.replica_identity_autoset_values,
        "with the default replica identity a deleted row tells only its primary key (no instance, no old values) "
        "and large values are missing from updates; set FULL for the captured tables, here or by ALTER TABLE",
    ),
)  # fmt: skip
