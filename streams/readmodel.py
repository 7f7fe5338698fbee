"""Keeps the store (the read model) up with what was committed, from the topics themselves.

Why from the topics: the position in the store is written in the same SQL transaction as the rows, so nothing
is lost across a crash of either side, and a slow database never slows the partitions down. Each worker
writes the partitions that it owns; writing twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import BadInput, ReportOrder, TryLater, decode_alert, decode_indicator, decode_task
from sinks.store import AlertEventRow, Findings, IndicatorRow, InstanceRow, NotificationRow, StoreBatch, TaskRow

if TYPE_CHECKING:
    from sinks.store import Store

log = logging.getLogger("stagewatch.readmodel")

_POLL_MS = 200
_LOOK_S = 0.2
_MAX_RECORDS = 5000
ZERO = b"\x00"

InstanceReader = Callable[[bytes, int, int], InstanceRow | None]
"""Changelog value, record time, record offset: the row that people ask for."""


class StoreWriter:
    """Reads alerts, indicators and the tracking changelog of the owned partitions into the store."""

    def __init__(  # noqa: PLR0913 - the topics it reads, and how
        self,
        url: str,
        *,
        owned: Callable[[], set[tuple[str, int]]],
        alerts: str,
        changelog: str,
        indicators: str,
        tasks: str,
        read_instance: InstanceReader,
    ) -> None:
        self._url = url
        self._owned = owned
        self._read = {alerts: self._alert, changelog: self._instance, indicators: self._indicator, tasks: self._task}
        self._read_instance = read_instance
        self._notifications: dict[str, NotificationRow] = {}
        self._assigned: set[tuple[str, int]] = set()
        self._store: Store | None = None
        self.is_busy = False

    def record(self, rows: Sequence[NotificationRow]) -> None:
        """Take rows of notices; they are written with the next batch."""
        self._notifications.update({row.key: row for row in rows})

    async def run(self, settings: Mapping[str, Any]) -> None:
        """Follow the topics until cancelled."""
        from sinks.store import Store  # noqa: PLC0415 - the worker works already when it needs the database library

        self._store = await self._patiently(Store, self._url)
        consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", **settings,
        )  # fmt: skip
        await consumer.start()
        try:
            while True:
                await self._follow(consumer)
                if self._assigned:
                    await self._write(await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS))
                else:
                    await asyncio.sleep(_LOOK_S)
        finally:
            await consumer.stop()

    def find(self, order: ReportOrder, limit: int) -> Findings:
        """Give what a report rests on; blocks. Raises TryLater while the store is away, or not open yet."""
        if self._store is None:
            raise TryLater("the store is not open yet")
        return self._store.findings(order, limit=limit)

    async def flush(self) -> None:
        """Write what is known of notices; at a clean stop."""
        if self._store is not None and self._notifications:
            await asyncio.to_thread(self._store.write, self._batch({}))

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        owned = self._owned()
        if owned == self._assigned or self._store is None:
            return
        self._assigned = set(owned)
        tps = [TopicPartition(*tp) for tp in sorted(owned)]
        consumer.assign(tps)
        positions = await self._patiently(self._store.positions)
        for tp in tps:
            position = positions.get((tp.topic, tp.partition))
            if position is None:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, position)

    async def _write(self, fetched: Mapping[TopicPartition, list[Any]]) -> None:
        if self._store is None or not (fetched or self._notifications):
            return
        self.is_busy = True
        await self._patiently(self._store.write, self._batch(fetched))
        self.is_busy = False

    def _batch(self, fetched: Mapping[TopicPartition, Iterable[Any]]) -> StoreBatch:
        """The rows of some records; of an instance only the last state."""
        notifications, self._notifications = self._notifications, {}
        instances: dict[tuple[str, str], InstanceRow] = {}
        alerts: list[AlertEventRow] = []
        indicators: dict[bytes, IndicatorRow] = {}
        tasks: dict[str, TaskRow] = {}
        batch = StoreBatch(notifications=list(notifications.values()), alerts=alerts)
        for tp, records in fetched.items():
            read = self._read[tp.topic]
            for record in records:
                try:
                    row = read(tp, record)
                except BadInput:  # not ours: anybody may write into a topic
                    row = None
                if isinstance(row, InstanceRow):
                    instances[row.process, row.instance] = row
                elif isinstance(row, AlertEventRow):
                    alerts.append(row)
                elif isinstance(row, TaskRow):
                    tasks[row.task.number] = row
                elif row is not None:
                    indicators[record.key] = row
                batch.positions[tp.topic, tp.partition] = record.offset + 1
        batch.instances, batch.indicators = list(instances.values()), list(indicators.values())
        batch.tasks = list(tasks.values())
        return batch

    @staticmethod
    def _alert(tp: TopicPartition, record: Any) -> AlertEventRow:  # noqa: ANN401 - aiokafka's record
        event = decode_alert(record.value or b"")
        return AlertEventRow(
            event=event, topic=tp.topic, partition=tp.partition, offset=record.offset, at=record.timestamp
        )

    def _instance(self, _tp: TopicPartition, record: Any) -> InstanceRow | None:  # noqa: ANN401 - aiokafka's record
        if record.value is None or record.key.startswith(ZERO):
            return None
        return self._read_instance(record.value, record.timestamp, record.offset)

    @staticmethod
    def _indicator(_tp: TopicPartition, record: Any) -> IndicatorRow:  # noqa: ANN401 - aiokafka's record
        return IndicatorRow(value=decode_indicator(record.value or b""), position=record.offset)

    @staticmethod
    def _task(_tp: TopicPartition, record: Any) -> TaskRow | None:  # noqa: ANN401 - aiokafka's record
        """What was forgotten by the loop stays to be read."""
        return None if record.value is None else TaskRow(task=decode_task(record.value), position=record.offset)

    @staticmethod
    async def _patiently(call: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 - whatever `call` gives
        """Call in a thread, again and again while the database is away."""
        while True:
            try:
                return await asyncio.to_thread(call, *args)
            except TryLater as exc:
                log.warning("the store is away: %s", exc)
                await asyncio.sleep(exc.delay_s)
