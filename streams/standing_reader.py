"""Reads what is known beside the notices: all silences, and (where notices are held) which alerts ended of late.

By a plain consumer without group, in every worker, like reference data: read to its end before the first partition is
taken over, then followed. What a partition concludes from it is in its own changelog, so it counts once.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules import Mornings, QuietHours, WorkCalendar
from schemas import BadInput, decode_alert, decode_silence
from sinks import Holding, Standing
from streams.config import WorkerConfig
from streams.logic import SourcePartition

log = logging.getLogger("stagewatch.standing")

REACH_MS = 15 * 86_400_000
"""Nothing is held longer: the longest holidays are nine days, with weekends and an evening before and after."""
_POLL_MS = 250


def holding_of(config: WorkerConfig, calendar: Callable[[], WorkCalendar]) -> Holding | None:
    """Give what the settings hold until a working morning, by the calendar of the rules in effect; None: nothing."""
    if config.quiet_hours is None and not config.daily_cap:
        return None
    quiet = config.quiet_hours or QuietHours()
    return Holding(
        hours=Mornings(quiet, calendar), is_quiet_kept=config.quiet_hours is not None, daily_cap=config.daily_cap,
        always=frozenset(quiet.always), duty=frozenset(quiet.duty), channels=frozenset(quiet.channels),
    )  # fmt: skip


class StandingReader:
    """Feeds a `Standing`. `holding`: what notices are held by; if nothing holds them, ends of alerts are not read."""

    def __init__(
        self, standing: Standing, holding: Holding | None, *, silences: str, now: Callable[[], float] = time.time
    ) -> None:
        self.standing, self.holding = standing, holding
        self._silences = TopicPartition(silences, 0)
        self._alerts: list[TopicPartition] = []
        self._now = now
        self._consumer: AIOKafkaConsumer | None = None

    def _ms(self) -> int:
        return int(self._now() * 1000)

    async def start(self, alerts: Iterable[SourcePartition], settings: Mapping[str, Any]) -> None:
        """Read everything there is now. `alerts`: all partitions of the alerts."""
        self._alerts = [TopicPartition(*source) for source in alerts] if self.holding else []
        consumer = self._consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", fetch_max_wait_ms=100, **settings,
        )  # fmt: skip
        await consumer.start()
        consumer.assign([self._silences, *self._alerts])
        await consumer.seek_to_beginning(self._silences)
        if self._alerts:
            self.standing.known_at = 0
            await self._seek(consumer)
        ends = await consumer.end_offsets([self._silences, *self._alerts])
        while not await self._has_read(consumer, ends):
            await self._take(consumer, 50)

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        since = self._ms() - REACH_MS
        found = await consumer.offsets_for_times(dict.fromkeys(self._alerts, since))
        for tp in self._alerts:
            place = found.get(tp)
            if place is None:
                await consumer.seek_to_end(tp)
            else:
                consumer.seek(tp, place.offset)

    async def run(self) -> None:
        """Go on reading until cancelled."""
        while (consumer := self._consumer) is not None:
            asked_at = self._ms()
            ends = await consumer.end_offsets(self._alerts) if self._alerts else {}
            await self._take(consumer, _POLL_MS)
            if self._alerts and await self._has_read(consumer, ends):
                self.standing.known_at = asked_at
            self.standing.forget(asked_at - REACH_MS)

    async def stop(self) -> None:
        """Let go of the consumer. May be called twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    @staticmethod
    async def _has_read(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
        for tp, end in ends.items():
            if await consumer.position(tp) < end:
                return False
        return True

    async def _take(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> None:
        for tp, records in (await consumer.getmany(timeout_ms=timeout_ms)).items():
            for record in records:
                self._note(tp, record)

    def _note(self, tp: TopicPartition, record: Any) -> None:  # noqa: ANN401 - aiokafka's record
        """Take a record in; what is none of ours is passed: anybody may write into a topic."""
        try:
            if tp == self._silences:
                if record.value is not None:
                    self.standing.put(decode_silence(record.value))
            elif record.value is not None:
                self.standing.note(decode_alert(record.value), record.timestamp)
        except BadInput as error:
            log.warning("%s-%d at %d: %s", tp.topic, tp.partition, record.offset, error)
