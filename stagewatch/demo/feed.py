"""Writes the story into Kafka, as Debezium would: history at once, the live phase at its time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from stagewatch.demo.source import TABLES, Connector, Happening, topic_of

STEP = 500
"""Records between two looks at the progress."""
LINGER_MS = 5


def now_ms() -> int:
    """Give the wall clock, epoch ms."""
    return int(time.time() * 1000)


class Feed:
    """The demo's producer. `sent` is what was written, with the times at which it arrived."""

    def __init__(self, bootstrap: str) -> None:
        self.sent: list[Happening] = []
        self._bootstrap = bootstrap
        self._connector = Connector()
        self._waiting: deque[Happening] = deque()
        self._delay_ms = 0
        self._producer: Any = KafkaProducer(
            bootstrap_servers=bootstrap, linger_ms=LINGER_MS, batch_size=1 << 18, acks="all", max_block_ms=10_000
        )

    def make_topics(self) -> None:
        """Create the captured topics; records of any age are kept."""
        topics = [
            NewTopic(topic_of(table), num_partitions=count, replication_factor=1, topic_configs={"retention.ms": "-1"})
            for table, (_, count) in TABLES.items()
        ]
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            admin.create_topics(topics)
        finally:
            admin.close()

    def write(self, happenings: Sequence[Happening], progress: Callable[[int], None]) -> None:
        """Write history, each record with its own old timestamp; returns once all is in Kafka."""
        for number, happening in enumerate(happenings):
            self._send(happening)
            if number % STEP == 0:
                progress(number)
        self._producer.flush()

    def schedule(self, happenings: Sequence[Happening]) -> int:
        """Take what shall happen live; give by how many ms all of it is put off, because its time has passed."""
        self._waiting.extend(happenings)
        self._delay_ms = max(0, now_ms() - happenings[0].at)
        return self._delay_ms

    @property
    def has_more(self) -> bool:
        """Something is still to happen."""
        return bool(self._waiting)

    def send_due(self) -> None:
        """Write what is due by now, stamped with the time at which it is sent.

        One by one, each once the broker has the one before: who reads several partitions at their ends can tell
        only by their arrival which was first.
        """
        while self._waiting and self._waiting[0].at + self._delay_ms <= now_ms():
            last = self.sent[-1].at if self.sent else 0
            self._send(replace(self._waiting.popleft(), at=max(now_ms(), last + 1)))
            self._producer.flush()

    def _send(self, happening: Happening) -> None:
        record = self._connector.record(happening)
        self._producer.send(
            record.topic, key=record.key, value=record.value, partition=record.partition, timestamp_ms=record.timestamp
        )
        self.sent.append(happening)

    def close(self) -> None:
        """Write what is left and disconnect."""
        self._producer.flush()
        self._producer.close()
