"""One Kafka transaction at a time for one partition number: the only writer of that partition.

The epoch that InitProducerId hands out is the lease on the partition. Whoever opened the transactional id
last is the owner; every request of an earlier owner is refused by the broker. So a partition is safe
whatever the group coordinator believes, and two owners can at worst take the lease from one another,
never write twice.

On a broker without transactions `PlainWrites` does the same at least once: the order of what it writes is
such that a crash repeats and never loses.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, UnknownError, UnsupportedVersionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.errors import Broken, TryLater
from streams.logic import Batch, Committed, Records, SourcePartition
from streams.pipeline import announce, ask_at_once

COMMIT_TIMEOUT_S = 30.0
"""aiokafka repeats EndTxn for ever; longer than this the worker is useless."""
FENCE_TIMEOUT_S = 60.0
"""aiokafka repeats InitProducerId for ever too. The coordinator may wait for a transaction's end, and be elected."""
PROBE_TIMEOUT_S = 15.0
"""A fresh Kafka makes its transaction log on the first request: seconds."""
MAX_REQUEST_BYTES = 32 << 20
"""A dead letter holds a source record of any size in base64."""
MAX_BATCH_BYTES = 900_000
"""Below the 1 MB that brokers accept by default."""

Settings = Mapping[str, Any]


_NO_HEADERS: list[tuple[str, bytes]] = []


class Writer(Protocol):
    """What the partition core writes through."""

    async def fence(self) -> None:
        """Become the owner: what an owner before left open is aborted before this returns."""

    async def write(self, batch: Batch) -> None:
        """Write a batch; raises Broken, after which the caller must give up the process."""

    async def abort(self) -> None:
        """Free readers from waiting for a transaction that will not end. Best effort."""

    async def close(self) -> None:
        """Let go of the connections."""


async def send_all(producer: AIOKafkaProducer, writes: Mapping[SourcePartition, Records]) -> None:
    """Send every record in as few batches as may be and wait for all deliveries.

    aiokafka commits even if a produce request was refused: every delivery must be looked at.
    """
    delivered: list[asyncio.Future[Any]] = []
    for (topic, partition), records in writes.items():
        done = 0
        while done < len(records):
            batch = producer.create_batch()
            done = fill(batch, records, done)
            delivered.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*delivered)


def fill(batch: Any, records: Records, first: int) -> int:  # noqa: ANN401 - aiokafka's, without types
    """Put records from `first` on into a batch until it is full; give the index of the next one.

    A batch takes its first record whatever its size. Goes past `BatchBuilder.append`, which costs as much again as
    the record.
    """
    append, now, index = batch._builder.append, int(time.time() * 1000), first  # noqa: SLF001
    for index in range(first, len(records)):
        key, value = records[index]
        if append(index - first, now, key=key, value=value, headers=_NO_HEADERS) is None:
            break
    else:
        index = len(records)
    batch._relative_offset = index - first  # noqa: SLF001 - what it counts its records by
    return index


class Transactions:
    """The writer on Apache Kafka: exactly once."""

    def __init__(self, *, transactional_id: str, group_id: str, timeout_s: float, settings: Settings) -> None:
        self.transactional_id = transactional_id
        self._group_id = group_id
        self._settings = dict(
            settings,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(timeout_s * 1000),
            acks="all",
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            # A transaction that begins while the markers of the one before are still being written is
            # refused with a retriable error (KIP-890); aiokafka would sleep 100 ms each time.
            retry_backoff_ms=20,
        )
        self._producer: AIOKafkaProducer | None = None
        self._start: asyncio.Task[None] | None = None

    async def fence(self) -> None:
        """Become the owner. Raises Broken, also if it is closed meanwhile."""
        self._producer = AIOKafkaProducer(**self._settings)
        ask_at_once(self._producer)
        self._start = asyncio.ensure_future(self._producer.start())
        try:
            await asyncio.wait_for(asyncio.shield(self._start), FENCE_TIMEOUT_S)
        except asyncio.CancelledError:
            if not self._start.cancelled():
                self._start.cancel()
                raise
            raise Broken(f"{self.transactional_id}: let go while it was being taken") from None
        except Exception as exc:
            raise Broken(f"{self.transactional_id}: cannot take the lease: {exc!r}") from exc

    async def write(self, batch: Batch) -> None:
        """Write all or nothing; on Broken the outcome is unknown or refused and nothing can be retried here."""
        try:
            await asyncio.wait_for(self._write(batch), COMMIT_TIMEOUT_S)
        except Exception as exc:
            raise Broken(f"{self.transactional_id}: transaction failed: {exc!r}") from exc

    async def _write(self, batch: Batch) -> None:
        producer = self._producer
        if producer is None:
            raise Broken("not fenced")
        await producer.begin_transaction()
        # Offsets first, and all topics before any waits: while the coordinator still adds something to
        # the transaction, the broker refuses produce requests for it (KIP-890) and a backoff is lost.
        if batch.offsets:
            announce(producer, batch.writes)
            await producer.send_offsets_to_transaction(_kafka_offsets(batch.offsets), self._group_id)
        await send_all(producer, batch.writes)
        await producer.commit_transaction()

    async def abort(self) -> None:
        """Free readers from waiting for the transaction timeout."""
        producer = self._producer
        if producer is not None and producer._txn_manager.is_in_transaction():  # noqa: SLF001 - no public way
            await producer.abort_transaction()

    async def close(self) -> None:
        """Stop the producer. May be called twice."""
        producer, self._producer = self._producer, None
        if self._start is not None:
            # A start that goes on would wait for metadata that a closed client never gets.
            self._start.cancel()
        if producer is not None:
            await producer.stop()


Commit = Callable[[Mapping[Any, Any]], Awaitable[None]]


class PlainWrites:
    """The writer on a broker without transactions: outputs, then the changelog, then the offsets."""

    def __init__(self, producer: AIOKafkaProducer, commit: Commit) -> None:
        self._producer = producer
        self._commit = commit

    async def fence(self) -> None:
        """There is no lease on such a broker."""

    async def write(self, batch: Batch) -> None:
        """Write one topic after the other: a crash in between repeats outputs and loses none."""
        try:
            for target, records in batch.writes.items():
                await asyncio.wait_for(send_all(self._producer, {target: records}), COMMIT_TIMEOUT_S)
            if batch.offsets:
                await asyncio.wait_for(self._commit(_kafka_offsets(batch.offsets)), COMMIT_TIMEOUT_S)
        except Exception as exc:
            raise Broken(f"write failed: {exc!r}") from exc

    async def abort(self) -> None:
        """Nothing is ever open."""

    async def close(self) -> None:
        """The producer is shared and closed by its owner."""


def _kafka_offsets(offsets: Mapping[SourcePartition, Committed]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*tp): OffsetAndMetadata(c.offset, c.metadata) for tp, c in offsets.items()}


async def has_transactions(application_id: str, settings: Settings) -> bool:
    """Try InitProducerId: a broker without transactions refuses it (Tansu: UnknownError).

    Raises TryLater if there is no answer: to take silence for a refusal would cost exactly-once unnoticed.
    """
    producer = AIOKafkaProducer(
        transactional_id=f"{application_id}-probe-{id(settings):x}", transaction_timeout_ms=1000, **settings
    )
    try:
        await asyncio.wait_for(producer.start(), PROBE_TIMEOUT_S)
    except (UnknownError, UnsupportedVersionError, IncompatibleBrokerVersion):
        return False
    except (KafkaError, TimeoutError) as exc:
        raise TryLater(f"the broker does not say whether it has transactions: {exc!r}") from exc
    else:
        return True
    finally:
        await producer.stop()
