"""Writes the records of `bench peers`: each engine's topic gets a beginning of the same streams.

Five million records in well under a minute: two processes write two partitions each, and a batch is built and
compressed once for all topics that get it. What must be raised is counted on the way.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from functools import partial
from itertools import islice, pairwise
from multiprocessing import get_context
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.record import _crecords

from bench.broker import Broker
from bench.feed import BATCH_BYTES
from bench.peer_records import PARTITIONS, Change, changes, share
from schemas import StagewatchError

WRITERS = 2
POLL_S = 0.2
LZ4_LEVEL = 1
"""What a connector's producer writes with. aiokafka knows only level 9, which takes as long as all else together."""


class Late(NamedTuple):
    """A record that must raise an alert."""

    partition: int
    offset: int
    app_no: str


def write(broker: Broker, amounts: Mapping[str, range], progress: Callable[[int], None]) -> list[Late]:
    """Write these events of the whole stream to each topic, numbered from 0; give every late one up to the last.

    A topic's range begins where the topic ends now. Raises StagewatchError if the broker did not keep each once.
    """
    with ProcessPoolExecutor(WRITERS, mp_context=get_context("spawn")) as writers:
        tasks = [writers.submit(_write, broker.bootstrap, number, dict(amounts)) for number in range(PARTITIONS)]
        begun = sum(events.start for events in amounts.values())
        while wait(tasks, POLL_S).not_done:
            progress(sum(broker.ends(amounts).values()) - begun)
        late = [found for task in tasks for found in task.result()]
    for (topic, number), end in broker.ends(amounts).items():
        if end != share(amounts[topic].stop, number):
            raise StagewatchError(f"{topic} has {end} records in partition {number}, not those that were written")
    return late


def _write(bootstrap: str, partition: int, amounts: Mapping[str, range]) -> list[Late]:
    _crecords.default_records.lz4_encode = partial(lz4_encode, level=LZ4_LEVEL)  # this process only writes
    return asyncio.run(_Writer(partition, amounts).write(bootstrap))


class _Writer:
    """Writes one partition of all topics."""

    def __init__(self, partition: int, amounts: Mapping[str, range]) -> None:
        self._partition = partition
        self._spans = {
            topic: range(share(events.start, partition), share(events.stop, partition))
            for topic, events in amounts.items()
        }
        self._late: list[Late] = []
        self._sent: list[asyncio.Future[Any]] = []
        self._producer: Any = None

    async def write(self, bootstrap: str) -> list[Late]:
        # Not idempotent: a batch then carries no producer's number and can go to several topics. `write` counts.
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap.split(","), acks="all", max_batch_size=BATCH_BYTES, compression_type="lz4"
        )
        await self._producer.start()
        try:
            await self._write_all()
            await asyncio.gather(*self._sent)
        finally:
            await self._producer.stop()
        return self._late

    async def _write_all(self) -> None:
        """Go through the stream in pieces that go to the same topics."""
        stream = changes(self._partition)
        borders = sorted({0, *(edge for span in self._spans.values() for edge in (span.start, span.stop))})
        for begin, end in pairwise(borders):
            topics = [topic for topic, span in self._spans.items() if begin in span]
            batch = self._producer.create_batch()
            for offset, change in enumerate(islice(stream, end - begin), begin):
                if change.is_late:
                    self._late.append(Late(self._partition, offset, change.key.decode()))
                if topics and not _add(batch, change):
                    await self._send(batch, topics)
                    batch = self._producer.create_batch()
                    _add(batch, change)
            await self._send(batch, topics)

    async def _send(self, batch: Any, topics: list[str]) -> None:  # noqa: ANN401 - aiokafka carries no types
        if batch.record_count():
            self._sent += [await self._producer.send_batch(batch, topic, partition=self._partition) for topic in topics]


def _add(batch: Any, change: Change) -> bool:  # noqa: ANN401 - aiokafka carries no types
    """Put a record into a batch, as of now; whether it had room."""
    return batch.append(key=change.key, value=change.value, timestamp=int(time.time() * 1000)) is not None
