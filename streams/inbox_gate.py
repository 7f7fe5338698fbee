"""Where texts come in from the carriers: into `stagewatch.inbound`, and only then is the carrier told.

A text that does not get there is not confirmed, so the gateway delivers it again; what comes twice has the same name
and changes nothing. Lives beside the partitions, with a producer of its own: a carrier's connection is not a
partition's.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import Text, encode_inbound
from sinks import Sink, SmsRoutes, Written
from streams.metrics import Metrics
from streams.partitioner import Partitioner

log = logging.getLogger("stagewatch.inbound")
_MOST_WAITING = 1_000
"""Texts on their way; more are left to their gateways, which send them again."""


class InboxGate:
    """Takes what `sinks.SmsRoutes` hands in."""

    def __init__(
        self, topic: str, count: int, *, metrics: Metrics, now: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self._topic, self._owners = topic, Partitioner(count)
        self._metrics, self._now = metrics, now
        self._producer: AIOKafkaProducer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, sink: Sink | None) -> None:
        """Take what comes over a sink, if texts come over it at all."""
        if isinstance(sink, SmsRoutes):
            sink.on_inbound = self.take

    async def start(self, settings: Mapping[str, Any]) -> None:
        """Connect; what comes before stays with its gateway."""
        producer = AIOKafkaProducer(acks="all", **settings)
        await producer.start()
        self._producer = producer

    def take(self, written: Written) -> None:
        """Write a text, and accept it once Kafka has it; waits for nothing."""
        if self._producer is None or len(self._tasks) >= _MOST_WAITING:
            self._metrics.on_dropped("inbound_left_to_its_gateway", 1)
            return
        task = asyncio.ensure_future(self._write(self._producer, written))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, producer: AIOKafkaProducer, written: Written) -> None:
        text = Text(
            id=f"{written.road}:{written.carrier_id}" if written.carrier_id else "", mobile=written.mobile,
            to=written.to, text=written.text, at=int(self._now() * 1000), road=written.road,
        )  # fmt: skip
        key, number = self._owners.of(written.mobile)
        try:
            await producer.send_and_wait(self._topic, encode_inbound(text), key=key, partition=number)
        except KafkaError as error:
            log.warning("a text was not taken in; its gateway sends it again: %s", type(error).__name__)
            return
        written.accept()

    async def stop(self) -> None:
        """Wait for what is on its way, then let go. May be called twice and without `start`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
