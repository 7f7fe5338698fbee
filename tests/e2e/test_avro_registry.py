"""Debezium's Avro by its real producer: PostgreSQL, Kafka Connect with an Avro converter, a real schema registry."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from kafka import KafkaConsumer

from bench.kafka_server import KafkaServer
from connectors import SchemaRegistry
from schemas import BadInput, Change, Decoder
from tests.helpers.avro_wire import THING
from tests.helpers.connect import deployed_connector, running_connect
from tests.helpers.postgres import Postgres
from tests.helpers.registry import confluent_url, converter_plugin, converter_settings, running_registry
from tests.helpers.requirements import needs

PREFIX = THING.topic.partition(".")[0]
PATIENCE_S = 90.0
TABLE = """
create table thing (id bigint primary key, app text, amt numeric(12,2), free numeric, at timestamp, zoned timestamptz,
                    plan date, ok boolean);
alter table thing replica identity full;
"""
CHANGES = [
    "insert into thing values (1, 'A1', 12.50, 0.125, '2026-03-02 09:00', '2026-03-02 09:00+08', '2026-02-26', true)",
    "update thing set amt = -3.10, ok = null where id = 1",
    "alter table thing add column late text",
    "update thing set late = '甲', app = 'A2' where id = 1",
    "update thing set id = 2 where id = 1",
    "delete from thing where id = 2",
]
AT = 1_772_413_200_000
PLAN = 1_772_121_599_999


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the registry's URL."""
    with needs("connect"), running_registry(tmp_path_factory.mktemp("registry")) as url:
        yield url


@pytest.fixture(scope="module")
def records(
    registry: str, kafka: KafkaServer, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    """Give what the connector wrote for the changes above."""
    folder = tmp_path_factory.mktemp("avro-connect")
    (folder / "plugins").mkdir()
    with needs("connect"):
        (folder / "plugins" / "avro").symlink_to(converter_plugin())
    config = deployed_connector("sample-postgres") | converter_settings(registry)
    config |= {"topic.prefix": PREFIX, "table.include.list": "public.thing", "schema.include.list": "public"}
    config["decimal.handling.mode"] = "precise"
    with postgres.database() as source, needs("connect"), running_connect(folder, kafka.bootstrap) as connect:
        source.execute(TABLE)
        with connect.running(PREFIX, config | source.connector_settings()):
            for change in CHANGES:
                source.execute(change)
            return read(kafka.bootstrap, count=8)


def read(bootstrap: str, count: int) -> list[Any]:
    consumer = KafkaConsumer(THING.topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    deadline, found = time.monotonic() + PATIENCE_S, list[Any]()
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
            found += [record for batch in consumer.poll(timeout_ms=500).values() for record in batch]
    finally:
        consumer.close()
    return found


def decoded(registry: str, records: list[Any]) -> list[Change]:
    decoder = Decoder(THING, schema_of=SchemaRegistry(confluent_url(registry)).schema_of)
    changes, refused, _ = decoder.decode_run(records, topic=THING.topic, partition=0, high=0)
    assert refused == []
    assert (decoder.moved, decoder.skipped) == (1, {"tombstone": 2})
    return changes


def test_what_the_real_connector_writes_is_what_the_table_said(registry: str, records: list[Any]) -> None:
    inserted, updated, more, gone, come, deleted = decoded(registry, records)
    whole = {
        "id": 1, "app": "A1", "amt": Decimal("12.50"), "free": Decimal("0.125"), "at": AT, "zoned": AT, "plan": PLAN,
        "ok": True, "late": None,
    }  # fmt: skip
    # The connector reads the table's columns when it needs them: the new one may be there before it was added.
    inserted.fields.setdefault("late", None)
    updated.fields.setdefault("late", None)
    assert (inserted.op, inserted.row, inserted.instance, inserted.fields) == ("c", "1", "A1", whole)
    assert (updated.op, updated.fields) == ("u", {**whole, "amt": Decimal("-3.10"), "ok": None})
    assert (more.instance, more.left, more.fields["late"]) == ("A2", "A1", "甲")
    assert [(c.op, c.row, c.instance) for c in (gone, come)] == [("d", "1", "A2"), ("c", "2", "A2")]
    assert (deleted.op, deleted.row, deleted.instance) == ("d", "2", "A2")
    positions = [c.position for c in (inserted, updated, more, gone, deleted)]
    assert positions == sorted(set(positions))


def test_the_real_registry_knows_what_is_not_registered(registry: str) -> None:
    with pytest.raises(BadInput, match="unknown-schema"):
        SchemaRegistry(confluent_url(registry)).schema_of(987_654)
