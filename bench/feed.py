"""Writes records to Kafka in whole batches, fast, each with the timestamp it arrived at."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.record import _crecords

from schemas import Recorded

BATCH_BYTES = 256 << 10
"""What a busy connector's batches grow to; a broker takes a megabyte."""
_REPORT_EVERY = 2_000
_LZ4_LEVEL = 1
"""What a connector's producer writes with. aiokafka knows only level 9, which takes as much CPU as all else together:
the worker's, where both share a machine."""
_crecords.default_records.lz4_encode = partial(lz4_encode, level=_LZ4_LEVEL)  # whoever imports this writes, no more


class Feed:
    """One producer whose batches are built by hand: no future is made per record. A context manager."""

    def __init__(self, bootstrap: str) -> None:
        self._settings = {"bootstrap_servers": bootstrap.split(",")}
        self._producer: Any = None
        self._open: dict[tuple[str, int], Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._settings, enable_idempotence=True, max_batch_size=BATCH_BYTES, compression_type="lz4"
        )
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def add(self, record: Recorded) -> None:
        """Put a record into its partition's batch; a full one is sent."""
        place = (record.topic, record.partition)
        batch = self._open.get(place) or self._open.setdefault(place, self._producer.create_batch())
        if batch.append(key=record.key, value=record.value, timestamp=record.timestamp) is None:
            await self._send(place)
            batch = self._open[place] = self._producer.create_batch()
            batch.append(key=record.key, value=record.value, timestamp=record.timestamp)

    async def flush(self) -> None:
        """Send what is open; it is on its way when this returns."""
        for place in list(self._open):
            await self._send(place)

    async def settle(self) -> None:
        """Send what is open and wait until the broker has all; raises if it refused anything."""
        await self.flush()
        sent, self._sent = self._sent, []
        await asyncio.gather(*sent)

    async def _send(self, place: tuple[str, int]) -> None:
        batch = self._open.pop(place)
        self._sent.append(await self._producer.send_batch(batch, place[0], partition=place[1]))


def feed(bootstrap: str, records: Iterable[Recorded], progress: Callable[[int], None]) -> int:
    """Write records in order; give the timestamp of the last one, epoch ms."""

    async def write() -> int:
        at = 0
        async with Feed(bootstrap) as producer:
            for number, record in enumerate(records):
                await producer.add(record)
                at = record.timestamp
                if number % _REPORT_EVERY == 0:
                    progress(number)
            await producer.settle()
        return at

    return asyncio.run(write())
