"""The recorded capture in a real broker, and what must come of it."""

import gzip
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from connectors import SHIPPED_SOURCES, load_sources
from rules import load_definitions
from schemas import Recorded, decode_alert, parse_recorded
from stagewatch.replay import Replay
from tests.helpers.brokers import make_topics

SAMPLES = Path(__file__).parents[1] / "data"
CAPTURE = SAMPLES / "connection-2026-postgres.jsonl.gz"
TOPICS = (
    "cdc.lean.lean_neg_trans", "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress", "cdc.mkt.tg_manager", "cdc.ymd.ymd_tg",
)  # fmt: skip
_COPIED = ("cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress")
QUIET_S = 3.0


@dataclass(frozen=True, slots=True)
class Fired:
    """What makes an alert event the same: id, kind and time."""

    alert_id: str
    event: str
    raised_at: int


def capture(copies: int = 1) -> Iterator[Recorded]:
    """Give the records in order of arrival; further copies are other applications with the same lives."""
    with gzip.open(CAPTURE, "rb") as lines:
        for line in lines:
            yield parse_recorded(line)
            if json.loads(line)["topic"] in _COPIED:
                for copy in range(1, copies):
                    yield parse_recorded(_renumbered(line, copy))


def _renumbered(line: bytes, copy: int) -> bytes:
    line = re.sub(rb'"app_no":"(\d+)"', rb'"app_no":"%03d\1"' % copy, line)
    return re.sub(rb'"progress_id":(\d+)', lambda m: b'"progress_id":%d' % (int(m[1]) + copy * 1_000_000), line)


def feed(bootstrap: str, records: Iterable[Recorded], *, partitions: int = 3) -> int:
    """Make the captured topics and write records with their old timestamps; gives how many."""
    make_topics(bootstrap, TOPICS, partitions=partitions)
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, acks="all")
    count = 0
    for record in records:
        producer.send(record.topic, key=record.key, value=record.value, timestamp_ms=record.timestamp)
        count += 1
    producer.flush()
    producer.close()
    return count


def replayed(records: Iterable[Recorded], *, until: int | None = None) -> list[Fired]:
    """What `replay` makes of the same records, up to now."""
    replay = Replay(load_definitions(), load_sources([SHIPPED_SOURCES]), mail_domain="stagewatch.local")
    replay.feed(records)
    replay.advance(until or int(time.time() * 1000))
    return [Fired(a.alert_id, a.event, a.raised_at) for a in replay.outcome.alerts]


def committed_alerts(bootstrap: str) -> list[Fired]:
    """Every alert event that a read-committed reader sees."""
    return [
        Fired(alert.alert_id, alert.event, alert.raised_at)
        for alert in map(decode_alert, committed_values(bootstrap, "stagewatch.alerts"))
    ]


def committed_values(bootstrap: str, topic: str) -> list[bytes]:
    """Every value that a read-committed reader sees."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    try:
        tps = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends = consumer.end_offsets(tps)
        found: list[bytes] = []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for records in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in records]
        return found
    finally:
        consumer.close()


def wait_for_alerts(bootstrap: str, count: int, patience_s: float) -> list[Fired]:
    """Wait until there are `count` alert events and no more come; gives them, or what there is at the end."""
    deadline = time.monotonic() + patience_s
    found: list[Fired] = []
    while time.monotonic() < deadline:
        found = committed_alerts(bootstrap)
        if len(found) >= count:
            time.sleep(QUIET_S)
            return committed_alerts(bootstrap)
        time.sleep(0.5)
    return found
