"""Connectors that must remember the tables' past forms: the schema history topic and its traps.

Losing that topic stops the connector at its next start; sharing it between connectors mixes their tables up.
Whether the topic that exists has one partition and endless retention is looked at by `connectors.connect.topics`.
"""

from collections.abc import Iterator

from pydantic import Field

from connectors.debezium.base import ADAPTIVE, Check, Debezium, Flag, Trap, traps_of

PREFIX = "schema.history.internal."
_SECURITY = "security.protocol"


class WithHistory(Debezium):
    """Settings of connectors with a schema history in Kafka."""

    schema_history_internal_kafka_topic: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="one partition, kept for ever, and of this connector alone",
    )
    schema_history_internal_kafka_bootstrap_servers: str = Field(min_length=1)
    schema_history_internal_store_only_captured_tables_ddl: Flag = False

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of the history."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)

    def unique(self) -> Iterator[tuple[str, str]]:
        """Give what no two connectors may share."""
        yield from super().unique()
        yield f"{PREFIX}kafka.topic", self.schema_history_internal_kafka_topic


def _is_half_secured(model: WithHistory) -> bool:
    ends = [model.setting(f"{PREFIX}{end}.{_SECURITY}") for end in ("producer", "consumer")]
    return (ends[0] is None) != (ends[1] is None)


def _has_units_unknown(model: WithHistory) -> bool:
    return model.has_no_schema and model.time_precision_mode in ADAPTIVE


_CHECKS: tuple[Check[WithHistory], ...] = (
    Check(
        "time-units", "value.converter.schemas.enable", _has_units_unknown,
        "times arrive as milliseconds, microseconds or nanoseconds, column by column (DATETIME and DATETIME(6), DATE "
        "and TIMESTAMP), and only the schema tells which: a wrong unit puts a row into 1970; set true, or "
        "time.precision.mode connect and declare the source with timestamp_unit ms",
    ),
    Check(
        "history-security", f"{PREFIX}kafka.bootstrap.servers", _is_half_secured,
        f"{PREFIX}producer.* and {PREFIX}consumer.* need the same security settings: the history has clients of its "
        "own, which take nothing from the worker",
    ),
    Check(
        "history-size", f"{PREFIX}store.only.captured.tables.ddl",
        lambda m: m.schema_history_internal_store_only_captured_tables_ddl is False,
        "the history keeps the DDL of every table of the database, and each start reads all of it; set true",
    ),
)  # fmt: skip
