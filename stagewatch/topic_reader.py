"""Reads a topic from its beginning to its present end, or on and on, without a consumer group.

For commands that look into the running system and for the demo, which counts what the worker wrote. Never
part of a worker.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from schemas import TryLater

WAIT_S = 10.0
"""Longest wait for metadata and for records that the broker says are there."""
POLL_MS = 200


class TopicRecord(NamedTuple):
    """A record as it stands in a topic."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def read_topic(bootstrap: str, topic: str) -> Iterator[TopicRecord]:
    """Give all committed records up to where the topic ends now; none if there is no such topic.

    Raises TryLater if the broker does not answer.
    """
    with TopicTail(bootstrap, topic) as tail:
        yield from tail.to_end()


class TopicTail:
    """A topic that is read on and on. A context manager."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self.topic = topic
        self._consumer: Any = None  # kafka-python carries no types
        self._partitions: list[Any] = []

    def __enter__(self) -> Self:
        """Connect. Raises TryLater."""
        from kafka import KafkaConsumer
        from kafka.errors import KafkaError

        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", isolation_level="read_committed",
            )  # fmt: skip
            self._assign()
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {self._bootstrap}: {type(error).__name__}") from error
        return self

    def _assign(self) -> bool:
        """Take the topic's partitions once it exists; whether it does."""
        from kafka import TopicPartition

        if not self._partitions and self.topic in self._consumer.topics():
            numbers = self._consumer.partitions_for_topic(self.topic) or ()
            self._partitions = [TopicPartition(self.topic, number) for number in sorted(numbers)]
            self._consumer.assign(self._partitions)
            self._consumer.seek_to_beginning(*self._partitions)
        return bool(self._partitions)

    def poll(self, timeout_ms: int = POLL_MS) -> list[TopicRecord]:
        """Give what has come since, in order within a partition; may be empty."""
        if not self._assign():
            time.sleep(timeout_ms / 1000)
            return []
        batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=5_000)
        return [
            TopicRecord(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
            for batch in batches.values()
            for r in batch
        ]

    def to_end(self) -> Iterator[TopicRecord]:
        """Give everything up to the topic's present end.

        The embedded broker's answer about ends lies inside the last batch; what a fetch says beside its records is
        right. With Kafka that may be more than can be read: a transaction is open.
        """
        if not self._assign():
            return
        ends = self._consumer.end_offsets(self._partitions)
        told: dict[Any, int] = {}
        deadline = time.monotonic() + WAIT_S
        while not self._is_at(ends) or not self._is_at(told):
            found = self.poll()
            marks = {tp: self._consumer.highwater(tp) for tp in self._partitions if tp not in told}
            told |= {tp: mark for tp, mark in marks.items() if mark is not None}
            if found:
                deadline = time.monotonic() + WAIT_S
            elif self._is_at(ends):
                return
            elif time.monotonic() > deadline:
                raise TryLater(f"{self.topic} cannot be read to its end")
            yield from found

    def _is_at(self, ends: Mapping[Any, int]) -> bool:
        return all(self._consumer.position(tp) >= end for tp, end in ends.items())

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()
