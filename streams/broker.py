"""This worker's own clients beside Faust's consumer: the group's offsets, log ends, and a writer per lease."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.config import WorkerConfig
from streams.logic import Committed, Lease, SourcePartition
from streams.topics import connect
from streams.transactions import (
    MAX_BATCH_BYTES,
    MAX_REQUEST_BYTES,
    Commit,
    PlainWrites,
    Transactions,
    Writer,
    has_transactions,
)

log = logging.getLogger("stagewatch.broker")

_RETRY_S = 0.2
_ELECTED_S = 20.0
"""A group coordinator that is just being elected answers by then."""


class KafkaBroker:
    """Connections that live as long as the worker."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self.settings: Mapping[str, Any] = {"bootstrap_servers": config.servers}
        self.is_exact = True
        self.commit: Commit | None = None
        """How a broker without transactions commits; set before the first writer is made."""
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None

    @property
    def admin(self) -> AIOKafkaAdminClient:
        """The admin client; only between `start` and `stop`."""
        assert self._admin is not None, "start first"  # noqa: S101 - for the type checker
        return self._admin

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """A consumer without a group that reads committed, for questions only."""
        assert self._consumer is not None, "start first"  # noqa: S101 - for the type checker
        return self._consumer

    async def start(self) -> None:
        """Connect, and find out whether the broker has transactions."""
        self._admin = await connect(self.settings)
        self._consumer = AIOKafkaConsumer(group_id=None, isolation_level="read_committed", **self.settings)
        await self._consumer.start()
        self.is_exact = await has_transactions(self._config.application_id, self.settings)
        if not self.is_exact:
            log.warning("this broker has no transactions: at least once; ids make repeats harmless")
            self._producer = AIOKafkaProducer(
                acks="all", max_batch_size=MAX_BATCH_BYTES, max_request_size=MAX_REQUEST_BYTES, **self.settings
            )
            await self._producer.start()

    async def stop(self) -> None:
        """Let go of all connections."""
        for client in (self._producer, self._consumer):
            if client is not None:
                await client.stop()
        if self._admin is not None:
            await self._admin.close()

    def writer(self, lease: Lease) -> Writer:
        """Make the writer of a lease; it is not fenced yet."""
        if self._producer is not None and self.commit is not None:
            return PlainWrites(self._producer, self.commit)
        return Transactions(
            transactional_id=f"{self._config.application_id}-{lease.name}",
            group_id=self._config.application_id,
            timeout_s=self._config.transaction_timeout_s,
            settings=self.settings,
        )

    async def committed(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, Committed]:
        """Ask the group coordinator, not a cache; partitions without a committed offset are left out."""
        wanted = [TopicPartition(*tp) for tp in tps]
        deadline = time.monotonic() + _ELECTED_S
        while True:
            try:
                found = await self.admin.list_consumer_group_offsets(self._config.application_id, partitions=wanted)
            except (KafkaError, AttributeError):  # aiokafka 0.14 fails on its own way to report an error
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                break
        return {
            SourcePartition(tp.topic, tp.partition): Committed(kept.offset, kept.metadata or "")
            for tp, kept in found.items()
            if kept.offset >= 0
        }

    async def beginnings(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, int]:
        """The first offset of each partition that still exists."""
        wanted = [TopicPartition(*tp) for tp in tps]
        found = await self.consumer.beginning_offsets(wanted) if wanted else {}
        return {SourcePartition(tp.topic, tp.partition): offset for tp, offset in found.items()}
