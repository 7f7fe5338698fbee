"""What is there: the topics as a read-committed reader sees them, offsets, and the stores. Read, never judged.

Reading goes on where the last look ended, so that a look in a long run stays cheap.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from connectors import SHIPPED_SOURCES, load_sources
from rules import load_definitions
from schemas.codec import CLOCK_KEY
from streams.instances import InstanceReader

ALERTS, LETTERS, CHANGES = "stagewatch.alerts", "stagewatch.deadletters", "stagewatch.changes"
DELTAS, NOTICES = "stagewatch.deltas", "stagewatch.notices"
POLL_MS = 200
READ_PATIENCE_S = 60.0
Document = dict[str, Any]
Place = tuple[str, int, int]


class Notification(NamedTuple):
    """A row of the stores about one person told of one rung."""

    alert_id: str
    recipient: str
    channel: str
    state: str
    msg_id: str
    version: int


class Unreadable(Exception):
    """A topic could not be read to its end, or a group not be asked: the broker is away, or a partition hangs."""


class Observed:
    """One installation, looked at from outside. Close it."""

    def __init__(self, bootstrap: str, application_id: str, sources: Mapping[str, int]) -> None:
        self._bootstrap, self._group, self._sources = bootstrap, application_id, sources
        self.changelog = f"{application_id}-track-changelog"
        self.alerts: list[Document] = []
        """Every alert event, in the order of its partition, with its `place`."""
        self.letters: list[Document] = []
        self._states: dict[bytes, tuple[bytes, int, int]] = {}
        self._read_instance = InstanceReader(load_definitions(), load_sources([SHIPPED_SOURCES]))
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", max_poll_records=5000,
        )  # fmt: skip
        self._raw: Any = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
        self.admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap)
        self._read: list[TopicPartition] = []

    # -- topics

    def look(self) -> None:
        """Read alerts, dead letters and the tracking changelog to their present ends. Raises Unreadable."""
        tps = self._partitions((ALERTS, LETTERS, self.changelog))
        new = [tp for tp in tps if tp not in self._read]
        if new:
            kept = {tp: self._consumer.position(tp) for tp in self._read}
            self._read = tps
            self._consumer.assign(tps)
            for tp in tps:
                self._consumer.seek(tp, kept.get(tp, 0))
        ends = self._consumer.end_offsets(tps)
        deadline = time.monotonic() + READ_PATIENCE_S
        while any(self._consumer.position(tp) < ends[tp] for tp in tps):
            if time.monotonic() > deadline:
                raise Unreadable(f"not read to their ends: {ends}")
            for tp, records in self._consumer.poll(timeout_ms=POLL_MS).items():
                for record in records:
                    self._take(tp, record)

    def _take(self, tp: TopicPartition, record: Any) -> None:
        place: Place = (tp.topic, tp.partition, record.offset)
        if tp.topic == ALERTS:
            self.alerts.append({**json.loads(record.value), "place": place})
        elif tp.topic == LETTERS:
            self.letters.append(json.loads(record.value))
        elif record.key is not None and not record.key.startswith(b"\x00"):
            if record.value is None:
                self._states.pop(record.key, None)
            else:
                self._states[record.key] = (record.value, record.timestamp, record.offset)

    def instances(self) -> dict[str, Document]:
        """Give the instances as they stand in the changelog, by key."""
        found = {}
        for key, (value, at, offset) in self._states.items():
            row = self._read_instance(value, at, offset)
            if row is not None:
                found[key.decode()] = json.loads(row.state)
        return found

    # -- offsets

    def stuck(self) -> list[str]:
        """Say which partitions are not read, or held back by a transaction that does not end; none if all is well."""
        mine = (*self._sources, CHANGES, DELTAS, NOTICES)
        ends, stable = self._ends(self._raw, mine), self._ends(self._consumer, mine)
        found = [f"{t}-{n}: end {end}, stable {stable[t, n]}" for (t, n), end in ends.items() if stable[t, n] != end]
        committed = self.committed()
        behind = {place: end for place, end in stable.items() if committed.get(place, 0) < end}
        return found + [
            f"{t}-{n}: end {end}, committed {committed.get((t, n))}"
            for (t, n), end in behind.items()
            if not self._is_empty_between((t, n), committed.get((t, n), 0), end)
        ]

    def raw_ends(self) -> dict[tuple[str, int], int]:
        """Give where the logs of all topics end, the broker's own included."""
        return self._ends(self._raw, self._raw.topics() | {"__consumer_offsets"})

    def held_back(self) -> list[str]:
        """Say which partitions of all topics a transaction holds back for readers."""
        topics = self.admin.list_topics()
        ends, stable = self._ends(self._raw, topics), self._ends(self._consumer, topics)
        return [f"{t}-{n}" for (t, n), end in ends.items() if stable[t, n] != end and not t.startswith("__")]

    def committed(self) -> dict[tuple[str, int], int]:
        """Give the group's committed offsets."""
        try:
            found = self.admin.list_group_offsets({self._group: None})[self._group]
        except KafkaError:
            return {}
        return {(tp.topic, tp.partition): kept.offset for tp, kept in found.items() if kept.offset >= 0}

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Give the ends of partitions as a read-committed reader sees them."""
        return self._ends(self._consumer, topics)

    def _ends(self, consumer: Any, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        found = consumer.end_offsets(self._partitions(topics))
        return {(tp.topic, tp.partition): end for tp, end in found.items()}

    def _partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(t, n) for t in topics for n in sorted(self._raw.partitions_for_topic(t) or ())]

    def _is_empty_between(self, place: tuple[str, int], begin: int, end: int) -> bool:
        """Whether only marks lie there: of transactions' ends, which no reader sees, and of the trackers' clocks.

        The latter come every second, and the summing agent keeps how far it has read them every five.
        """
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=None, isolation_level="read_committed"
        )
        try:
            tp = TopicPartition(*place)
            consumer.assign([tp])
            consumer.seek(tp, begin)
            deadline = time.monotonic() + 5.0
            while consumer.position(tp) < end and time.monotonic() < deadline:
                polled = consumer.poll(timeout_ms=POLL_MS).values()
                if any(record.key != CLOCK_KEY for records in polled for record in records):
                    return False
            return bool(consumer.position(tp) >= end)
        finally:
            consumer.close()

    def close(self) -> None:
        """Disconnect."""
        for each in (self._consumer, self._raw, self.admin):
            each.close()


def notifications(stores: Iterable[str]) -> list[Notification]:
    """Give every notification of the stores (SQLAlchemy URLs); of one that several hold, the newest."""
    newest: dict[tuple[str, str, str], Notification] = {}
    for url in stores:
        for row in _rows(url):
            key = (row.alert_id, row.recipient, row.channel)
            if key not in newest or newest[key].version < row.version:
                newest[key] = row
    return list(newest.values())


def _rows(url: str) -> list[Notification]:
    engine = create_engine(url)
    question = "select alert_id, recipient_no, channel, state, msg_id, version from notifications"
    try:
        with engine.connect() as connection:
            return [Notification(*row) for row in connection.execute(text(question))]
    except SQLAlchemyError:  # a worker that died before it made its tables
        return []
    finally:
        engine.dispose()


def by_alert(alerts: Iterable[Document]) -> dict[str, list[Document]]:
    """Sort alert events by their id."""
    found: dict[str, list[Document]] = defaultdict(list)
    for alert in alerts:
        found[alert["alert_id"]].append(alert)
    return found
