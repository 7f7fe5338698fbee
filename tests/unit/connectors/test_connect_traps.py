"""Each trap of Debezium's connectors is named where it is set, and a good set-up falls into none."""

from typing import Any

import pytest

from connectors.debezium import MODELS

DEBEZIUM = {
    "topic.prefix": "p", "heartbeat.interval.ms": "10000", "heartbeat.action.query": "select 1",
    "decimal.handling.mode": "string", "table.include.list": r"s\.t", "database.hostname": "db",
    "database.user": "u", "database.dbname": "d",
}  # fmt: skip
HISTORY = DEBEZIUM | {
    "schema.history.internal.kafka.topic": "h",
    "schema.history.internal.kafka.bootstrap.servers": "kafka:9092",
    "schema.history.internal.store.only.captured.tables.ddl": "true",
}
GOOD: dict[str, dict[str, str]] = {
    "postgresql.Postgres": DEBEZIUM | {
        "plugin.name": "pgoutput", "slot.name": "own", "publication.name": "own",
        "publication.autocreate.mode": "filtered", "replica.identity.autoset.values": ".*:FULL",
    },
    "mysql.MySql": HISTORY | {"database.server.id": "7", "bigint.unsigned.handling.mode": "precise"},
    "mariadb.MariaDb": HISTORY | {"database.server.id": "7", "bigint.unsigned.handling.mode": "precise"},
    "oracle.Oracle": HISTORY | {
        "log.mining.strategy": "hybrid", "log.mining.query.filter.mode": "in", "archive.destination.name": "D1",
        "lob.enabled": "false",
    },
    "sqlserver.SqlServer": HISTORY | {"database.names": "a,b", "tasks.max": "2", "snapshot.isolation.mode": "snapshot"},
    "db2.Db2": HISTORY | {"snapshot.isolation.mode": "read_committed"},
}  # fmt: skip
KNOWN = {"oracle.Oracle": {"lobs"}}
"""No set-up of Oracle is without one: hybrid mining does not go with LOBs."""
EVERY = {
    "heartbeat": {"heartbeat.interval.ms": "0"},
    "decimals": {"decimal.handling.mode": "precise"},
    "tombstones": {"tombstones.on.delete": "false"},
    "snapshot-mode": {"snapshot.mode": "schema_only"},
    "filter": {"table.include.list": ""},
    "skipped-errors": {"errors.tolerance": "all"},
    "signals": {"signal.enabled.channels": "kafka"},
    "tasks": {"tasks.max": "9"},
    "unwrap": {"transforms": "flat", "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState"},
}
OWN: list[tuple[str, str, dict[str, str]]] = [
    ("postgresql.Postgres", "plugin", {"plugin.name": "decoderbufs"}),
    ("postgresql.Postgres", "slot", {"slot.name": "debezium"}),
    ("postgresql.Postgres", "slot", {"slot.drop.on.stop": "true"}),
    ("postgresql.Postgres", "publication", {"publication.name": "dbz_publication"}),
    ("postgresql.Postgres", "publication", {"publication.autocreate.mode": "all_tables"}),
    ("postgresql.Postgres", "quiet-log", {"heartbeat.action.query": ""}),
    ("postgresql.Postgres", "replica-identity", {"replica.identity.autoset.values": ""}),
    ("mysql.MySql", "unsigned", {"bigint.unsigned.handling.mode": "long"}),
    ("mysql.MySql", "time-units", {"value.converter.schemas.enable": "false", "bigint.unsigned.handling.mode": "long"}),
    ("oracle.Oracle", "time-units", {"value.converter.schemas.enable": "false"}),
    (
        "mariadb.MariaDb",
        "time-units",
        {"value.converter.schemas.enable": "false", "time.precision.mode": "adaptive_time_microseconds"},
    ),
    ("postgresql.Postgres", "time-units", {"value.converter.schemas.enable": "false"}),
    ("mysql.MySql", "unsigned", {"value.converter.schemas.enable": "false", "time.precision.mode": "connect"}),
    ("mysql.MySql", "snapshot-locks", {"snapshot.locking.mode": "extended"}),
    ("mysql.MySql", "history-size", {"schema.history.internal.store.only.captured.tables.ddl": "false"}),
    ("mysql.MySql", "history-security", {"schema.history.internal.producer.security.protocol": "SASL_SSL"}),
    ("oracle.Oracle", "quiet-log", {"heartbeat.action.query": ""}),
    ("oracle.Oracle", "address", {"database.hostname": ""}),
    ("oracle.Oracle", "logminer-strategy", {"log.mining.strategy": "online_catalog"}),
    ("oracle.Oracle", "logminer-strategy", {"log.mining.strategy": "redo_log_catalog"}),
    ("oracle.Oracle", "logminer-strategy", {"lob.enabled": "true"}),
    ("oracle.Oracle", "logminer-filter", {"log.mining.query.filter.mode": "none"}),
    ("oracle.Oracle", "logminer-retention", {"log.mining.transaction.retention.ms": "1000"}),
    ("oracle.Oracle", "archive-destination", {"archive.destination.name": ""}),
    ("sqlserver.SqlServer", "snapshot-locks", {"snapshot.isolation.mode": "repeatable_read"}),
    ("sqlserver.SqlServer", "encryption", {"database.encrypt": "false"}),
    ("sqlserver.SqlServer", "tasks", {"tasks.max": "3"}),
    ("db2.Db2", "snapshot-locks", {"snapshot.isolation.mode": "exclusive"}),
    ("db2.Db2", "asn-schema", {"cdc.control.schema": "OTHER"}),
]


def names(kind: str, **changes: Any) -> set[str]:
    name = f"io.debezium.connector.{kind}Connector"
    config = {key: value for key, value in (GOOD[kind] | changes).items() if value != ""}
    return {trap.name for trap in MODELS[name].model_validate({"connector.class": name, **config}).traps()}


def test_every_connector_class_of_ours_is_looked_at() -> None:
    assert {name.removeprefix("io.debezium.connector.").removesuffix("Connector") for name in MODELS} == set(GOOD)


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_set_up_falls_into_no_trap(kind: str) -> None:
    assert names(kind) == KNOWN.get(kind, set())


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("trap", EVERY)
def test_traps_of_every_connector(kind: str, trap: str) -> None:
    assert trap in names(kind, **EVERY[trap])


@pytest.mark.parametrize(("kind", "trap", "changes"), OWN)
def test_traps_of_one_connector(kind: str, trap: str, changes: dict[str, str]) -> None:
    assert trap in names(kind, **changes) - names(kind)


def test_a_replica_without_a_number_is_a_trap() -> None:
    assert "server-id" in names("mysql.MySql", **{"database.server.id": ""})


def test_a_reference_stands_for_any_value() -> None:
    references = {"heartbeat.interval.ms": "${env:BEAT}", "tasks.max": "${env:TASKS}", "database.port": "${env:PORT}"}
    assert names("postgresql.Postgres", **references) <= {"tasks"}


def test_unwrapped_records_that_keep_operation_and_time_are_fine() -> None:
    kept = EVERY["unwrap"] | {"transforms.flat.add.fields": "op,source.ts_ms"}
    assert names("mysql.MySql", **kept) == set()
