"""The real services that other end-to-end tests stand on do what those tests assume."""

import asyncio
import json
import time
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaConsumer
from prometheus_client import CollectorRegistry, Counter, start_http_server

from bench.kafka_server import KafkaServer
from bench.server_process import HOST
from tests.helpers.brokers import Broker, make_topics
from tests.helpers.connect import Connect, deployed_connector
from tests.helpers.postgres import Postgres
from tests.helpers.prometheus import Prometheus

DEADLINE_S = 60


async def _commit_one_abort_one(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}-writer")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"last")
    finally:
        await producer.stop()


async def _read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), DEADLINE_S)).value for _ in range(count)]
    finally:
        await consumer.stop()


def test_kafka_hides_what_a_transaction_aborted(kafka: KafkaServer) -> None:
    make_topics(kafka.bootstrap, ["smoke-transactions"])
    asyncio.run(_commit_one_abort_one(kafka.bootstrap, "smoke-transactions"))
    assert asyncio.run(_read(kafka.bootstrap, "smoke-transactions", 2)) == [b"committed", b"last"]


def test_kafka_keeps_its_records_over_a_restart(kafka: KafkaServer) -> None:
    make_topics(kafka.bootstrap, ["smoke-restart"])
    asyncio.run(_commit_one_abort_one(kafka.bootstrap, "smoke-restart"))
    kafka.restart()
    assert asyncio.run(_read(kafka.bootstrap, "smoke-restart", 2)) == [b"committed", b"last"]


def test_the_embedded_broker_carries_records(tansu: Broker) -> None:
    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=tansu.bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait("smoke", b"one")
        finally:
            await producer.stop()

    make_topics(tansu.bootstrap, ["smoke"])
    asyncio.run(write())
    assert asyncio.run(_read(tansu.bootstrap, "smoke", 1)) == [b"one"]


def test_connect_offers_debezium_for_postgresql(connect: Connect) -> None:
    classes = {plugin["class"] for plugin in connect.get("/connector-plugins")}
    assert "io.debezium.connector.postgresql.PostgresConnector" in classes


def test_the_shipped_connector_captures_a_changed_row(connect: Connect, kafka: KafkaServer, postgres: Postgres) -> None:
    with postgres.database() as source:
        source.make_sample_tables()
        config = deployed_connector("sample-postgres") | source.connector_settings() | {"topic.prefix": "smoke"}
        assert connect.faults("sample-postgres", config) == {}
        with connect.running("sample-postgres", config):
            with psycopg.connect(source.dsn, autocommit=True) as rows:
                rows.execute("insert into mkt.mkt_app (app_no, volt_class) values ('332600000001', 'HV')")
                rows.execute("insert into lean.lean_neg_trans (nl_no, max_load_rate) values ('NL00001', 1.05)")
            application = _first(kafka.bootstrap, "smoke.mkt.mkt_app")
            item = _first(kafka.bootstrap, "smoke.lean.lean_neg_trans")
    assert (application["op"], application["after"]["volt_class"]) == ("c", "HV")
    assert item["after"]["max_load_rate"] == "1.0500"


def test_a_quiet_source_lets_go_of_its_log(connect: Connect, kafka: KafkaServer, postgres: Postgres) -> None:
    with postgres.database() as source:
        source.make_sample_tables()
        own = {"topic.prefix": "quiet", "heartbeat.interval.ms": "500"}
        config = deployed_connector("sample-postgres") | source.connector_settings() | own
        with connect.running("quiet", config), psycopg.connect(source.dsn, autocommit=True) as rows:
            rows.execute("create table public.not_captured (text text)")
            rows.execute("insert into public.not_captured values ('busy neighbour')")
            written = rows.execute("select pg_current_wal_lsn()").fetchone()
            released = "select confirmed_flush_lsn >= %s from pg_replication_slots where slot_name = %s"
            deadline = time.monotonic() + DEADLINE_S
            while rows.execute(released, [*(written or ()), config["slot.name"]]).fetchone() != (True,):
                assert time.monotonic() < deadline, "the slot holds on to the log"
                time.sleep(0.2)
    assert "quiet.message" not in topics(kafka.bootstrap)


def topics(bootstrap: str) -> set[str]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        return set(consumer.topics())
    finally:
        consumer.close()


def test_prometheus_answers_for_what_it_scraped(prometheus: Prometheus) -> None:
    registry = CollectorRegistry()
    Counter("smoke_total", "Something that happened.", registry=registry).inc(3)
    server, thread = start_http_server(0, addr=HOST, registry=registry)
    try:
        prometheus.scrape(f"{HOST}:{server.server_port}")
        assert [sample["value"][1] for sample in prometheus.query("smoke_total")] == ["3"]
        assert "StagewatchDown" in prometheus.rule_names()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _first(bootstrap: str, topic: str) -> dict[str, Any]:
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=500)
    deadline = time.monotonic() + DEADLINE_S
    try:
        while time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=500).values():
                for record in batch:
                    payload: dict[str, Any] = json.loads(record.value)
                    return payload
    finally:
        consumer.close()
    raise AssertionError(f"nothing came into {topic}")
