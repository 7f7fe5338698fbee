"""Reference data for every partition of this worker: read from all partitions by a plain consumer, no group.

Read to its end before the first partition is taken over, then polled for ever. The topics count as inputs of
the merge: while one is not at its end, nothing later than what was read of it is judged.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules import Reference
from schemas import LATEST_ARRIVAL, BadInput
from schemas.decode import Decoder
from streams.logic import SourcePartition

log = logging.getLogger("stagewatch.reference")

_POLL_MS = 250


class ReferenceReader:
    """Feeds `rules.Reference`; knows how far each partition has been read."""

    def __init__(self, reference: Reference, decoders: Mapping[str, Decoder]) -> None:
        self.reference = self._reference = reference
        self._decoders = decoders
        self._read: dict[SourcePartition, int] = {}
        self._high: dict[SourcePartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self.count = 0

    def bound(self, ends: Mapping[SourcePartition, int]) -> int | None:
        """Give the earliest time that a record still unread may have; None: everything up to `ends` is read."""
        behind = [self._high.get(tp, -1) for tp, end in ends.items() if self._read.get(tp, 0) < end]
        return min(behind) if behind else None

    def note_read(self, source: SourcePartition, position: int, high: int) -> None:
        """Another reader's topic that judgements rest on: how far it was read, and its newest record's time."""
        self._read[source], self._high[source] = position, high

    async def start(self, sources: Iterable[SourcePartition], settings: Mapping[str, Any]) -> None:
        """Read everything there is now."""
        tps = [TopicPartition(*source) for source in sources]
        if not tps:
            return
        consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", fetch_max_wait_ms=100, **settings,
        )  # fmt: skip
        self._consumer = consumer
        await consumer.start()
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends = await consumer.end_offsets(tps)
        while any(self._read.get(SourcePartition(*tp), -1) < end for tp, end in ends.items()):
            await self._poll(consumer, 50)
        log.info("read %d reference records of %d partitions", self.count, len(tps))

    async def run(self) -> None:
        """Go on reading until cancelled."""
        while self._consumer is not None:
            await self._poll(self._consumer, _POLL_MS)

    async def stop(self) -> None:
        """Let go of the consumer. May be called twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _poll(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> None:
        fetched = await consumer.getmany(timeout_ms=timeout_ms, max_records=5000)
        for tp, records in fetched.items():
            self.take(SourcePartition(tp.topic, tp.partition), records)
        for tp in consumer.assignment():
            self._read[SourcePartition(*tp)] = await consumer.position(tp)

    def take(self, source: SourcePartition, records: Iterable[Any]) -> None:
        """Decode records of one partition. Bad ones are skipped: the re-keying agent makes the dead letter."""
        decoder = self._decoders[source.topic]
        high = self._high.get(source, -1)
        for record in records:
            if record.timestamp >= LATEST_ARRIVAL:
                continue
            high = max(high, record.timestamp)
            try:
                changes = decoder.decode_all(
                    key=record.key, value=record.value, headers=record.headers, timestamp=high,
                    topic=source.topic, partition=source.partition, offset=record.offset,
                )  # fmt: skip
            except BadInput:
                continue
            for change in changes:
                self._reference.add(change)
                self.count += 1
        self._high[source] = high
