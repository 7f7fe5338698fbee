"""Signals and offsets: what is sent, what is refused, and files that are put back."""

import json
from dataclasses import replace

import pytest

from connectors.connect import (
    BadOffsets,
    CannotSignal,
    Desired,
    channel_of,
    check_partitions,
    exported,
    imported,
    insert_statement,
    snapshot_signal,
)
from connectors.debezium import MODELS, Debezium
from schemas.yaml_places import Places

BASE = {
    "topic.prefix": "p", "database.hostname": "db", "database.user": "u", "database.dbname": "CDB",
    "schema.history.internal.kafka.topic": "h", "schema.history.internal.kafka.bootstrap.servers": "k:9092",
}  # fmt: skip


def model(kind: str, **config: str) -> Debezium:
    name = f"io.debezium.connector.{kind}Connector"
    return MODELS[name].model_validate(BASE | {"connector.class": name} | config)


def desired(found: Debezium | None) -> Desired:
    return Desired("mkt", "mkt.yaml", "running", {}, found, None, {}, Places("mkt.yaml"))


@pytest.mark.parametrize(
    ("kind", "config", "collection"),
    [
        ("postgresql.Postgres", {"table.include.list": r"s\.t,s\.other"}, "s.t"),
        ("mariadb.MariaDb", {"table.include.list": "s.t"}, "s.t"),
        ("oracle.Oracle", {"table.include.list": r"S\.T", "database.pdb.name": "PDB"}, "PDB.S.T"),
        ("sqlserver.SqlServer", {"table.include.list": "s.t", "database.names": "one"}, "one.s.t"),
        ("postgresql.Postgres", {"schema.include.list": "s"}, "s.t"),
    ],
)
def test_tables_are_named_as_the_connector_names_them(kind: str, config: dict[str, str], collection: str) -> None:
    signal = snapshot_signal(model(kind, **config), ["s.t"], "id-1")
    assert signal.kind == "execute-snapshot"
    assert json.loads(signal.data) == {"data-collections": [collection], "type": "incremental"}


def test_a_table_may_be_named_alone_and_an_unknown_one_lists_the_known() -> None:
    found = model("postgresql.Postgres", **{"table.include.list": r"s\.t,r\.t,s\.u"})
    assert json.loads(snapshot_signal(found, ["U"], "1").data)["data-collections"] == ["s.u"]
    for table in ("t", "s.x"):
        with pytest.raises(CannotSignal, match=r"known: s\.t, r\.t, s\.u"):
            snapshot_signal(found, [table], "1")


def test_a_running_snapshot_is_ended() -> None:
    found = model("postgresql.Postgres", **{"schema.include.list": "s"})
    assert snapshot_signal(found, ["s.t"], "1", stops=True).kind == "stop-snapshot"


def test_the_statement_quotes_what_it_carries() -> None:
    found = model("oracle.Oracle", **{"signal.data.collection": "PDB.U.SIGNAL", "table.include.list": "S.T"})
    signal = replace(snapshot_signal(found, ["S.T"], "1"), data="it's")
    assert insert_statement(found, signal) == (
        "insert into U.SIGNAL (id, type, data) values ('1', 'execute-snapshot', 'it''s');"
    )


def test_the_channel_is_kafkas_where_it_is_heard() -> None:
    both = {"signal.enabled.channels": "source, kafka", "signal.data.collection": "s.sig"}
    assert channel_of(desired(model("postgresql.Postgres", **both)), None) == "kafka"
    assert channel_of(desired(model("postgresql.Postgres", **both)), "source") == "source"
    assert channel_of(desired(model("postgresql.Postgres", **{"signal.data.collection": "s.sig"})), None) == "source"
    read_only = {"signal.enabled.channels": "kafka", "read.only": "true"}
    assert channel_of(desired(model("mariadb.MariaDb", **read_only)), None) == "kafka"


@pytest.mark.parametrize(
    ("config", "channel", "says"),
    [
        ({"signal.data.collection": "s.sig"}, "kafka", "hears source only"),
        ({}, None, "has no signal table"),
        ({"signal.enabled.channels": "kafka"}, None, "has no signal table"),
    ],
)
def test_a_connector_that_would_not_hear_is_refused(config: dict[str, str], channel: None, says: str) -> None:
    with pytest.raises(CannotSignal, match=says):
        channel_of(desired(model("postgresql.Postgres", **config)), channel)


def test_a_connector_of_another_make_knows_no_signals() -> None:
    with pytest.raises(CannotSignal, match="no connector of Debezium's"):
        channel_of(desired(None), None)


OFFSETS = [{"partition": {"server": "p"}, "offset": {"lsn": 7}}]
CONFIG = {"connector.class": "C"}


def test_offsets_come_back_as_they_went() -> None:
    assert imported(exported("mkt", CONFIG, OFFSETS), "f", name="mkt", config=CONFIG) == OFFSETS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (exported("other", CONFIG, OFFSETS), "holds the offsets of other"),
        (exported("mkt", {"connector.class": "D"}, OFFSETS), r"holds the offsets of mkt \(D\)"),
        ("{}", "f: version: Field required"),
        ("nonsense", "f: Invalid JSON"),
    ],
)
def test_offsets_of_another_or_of_none_are_refused(text: str, says: str) -> None:
    with pytest.raises(BadOffsets, match=says):
        imported(text, "f", name="mkt", config=CONFIG)


def test_a_connector_that_has_read_nothing_has_nothing_to_export() -> None:
    with pytest.raises(BadOffsets, match="has read nothing yet"):
        exported("mkt", CONFIG, [])


POSTGRES = {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "p"}


def test_offsets_that_the_connector_would_never_look_up_are_refused() -> None:
    renamed = POSTGRES | {"topic.prefix": "q"}
    assert imported(exported("mkt", POSTGRES, OFFSETS), "f", name="mkt", config=POSTGRES) == OFFSETS
    with pytest.raises(BadOffsets, match=r'f: offsets of the server "p", but mkt has the topic.prefix .q.'):
        imported(exported("mkt", POSTGRES, OFFSETS), "f", name="mkt", config=renamed)
    for config in (POSTGRES, POSTGRES | {"topic.prefix": "${env:PREFIX}"}):
        check_partitions("mkt", config, OFFSETS)
    for partition in ("p", {}, {"server": "q"}):
        with pytest.raises(BadOffsets, match="begin anew"):
            check_partitions("mkt", POSTGRES, [{"partition": partition, "offset": None}])
