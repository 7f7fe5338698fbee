"""Faust transport that hands an agent whole batches, and ticks, instead of single records.

One Faust event is one run of raw records of one partition, in log order; its value is the list of
aiokafka records. A `Tick` is put into the same stream when time alone makes something due, so that it is
ordered with the data of its partition and stops while the partition is moved.

Offsets of batched topics are never committed by Faust: `Partitions` commits them inside its own
transactions. Registered under the entry point group `faust.transports` as `stagewatch`.

`Any` here stands for objects of Faust and aiokafka, whose types are partial.
"""

# ruff: noqa: ANN401 - see above

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from time import monotonic
from typing import Any

import msgspec
from aiokafka.consumer import fetcher
from faust.serializers.schemas import Schema
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.futures import notify

from schemas.errors import Broken
from streams.logic import SourcePartition

FETCH_WAIT_MS = 50
"""How long the broker holds a fetch that finds nothing. Faust hard-codes 1500 ms; aiokafka keeps one fetch in
flight per broker, so a fetch that waits for idle partitions holds back a busy one that was drained late."""
MAX_BATCH_RECORDS = 1000
"""About 5 ms of work: longer starves the event loop."""
MAX_BATCH_BYTES = 1 << 20
"""A thousand fat records would be much more than 5 ms."""
TICK_S = 0.05
"""How often it is asked whether a tick is due. Well under the second that a timer may lag."""


class Tick(msgspec.Struct, frozen=True):
    """Time has come for something in this partition."""

    positions: Mapping[SourcePartition, int]
    """Where fetching stood in each input partition when all before this tick was applied."""


class BatchMessage(ConsumerMessage):
    """Records `[start, offset]` of one partition; `start` is where the batch before it ended."""

    start: int

    def on_final_ack(self, consumer: Any) -> bool:
        """Release what waits for running events; leave Faust's commit bookkeeping alone."""
        self.acked = True
        consumer.unacked.discard(self)
        notify(consumer._waiting_for_ack)  # noqa: SLF001 - Faust's own way
        return True


class RawBatchSchema(Schema[Any, Any]):
    """Pass the list of records through; the default codecs would try to decode it."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Give Faust the coroutine that makes an event of a message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - Faust's signature
            return app.create_event(None, message.value, None, message)

        return decode


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to Kafka, with the two settings that Faust does not offer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Sources may be written in transactions, and `stagewatch.changes` is.
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer


class LeanRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Records of one fetch as aiokafka's parser makes them.

    aiokafka copies each into a `ConsumerRecord`: more than half of the time that fetching takes, for a topic and
    sizes that nobody here asks for.
    """

    def _consumer_record(self, tp: Any, record: Any) -> Any:  # noqa: ARG002 - aiokafka's signature
        return record


fetcher.PartitionRecords = LeanRecords  # no public way: the fetcher makes them by this name


def split(run: list[Any]) -> Iterator[list[Any]]:
    """Cut a fetch into batches, capped by count and bytes; a single record may exceed the bytes."""
    for first in range(0, len(run), MAX_BATCH_RECORDS):
        part = run[first : first + MAX_BATCH_RECORDS]
        sizes = [len(value) if (value := record.value) is not None else 0 for record in part]
        if sum(sizes) <= MAX_BATCH_BYTES:
            yield part
        else:
            yield from _cut(part, sizes)


def _cut(run: list[Any], sizes: list[int]) -> Iterator[list[Any]]:
    first, total = 0, 0
    for index, size in enumerate(sizes):
        total += size
        if index > first and total > MAX_BATCH_BYTES:
            yield run[first:index]
            first, total = index, size
    yield run[first:]


class BatchConsumer(driver.Consumer):
    """Range bookkeeping: every batch names where it starts, so a lost or repeated one is seen.

    Only `getmany` fetches batched partitions and only `getmany` seeks them, one after the other. A fetch that
    was on its way during a rebalance cannot move a position behind our back: what it brings is dropped,
    and whatever is dropped is sought back before the next fetch.
    """

    app: Any
    """Faust's app; `app.partitions` is ours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._delivered: dict[TP, int] = {}  # end of the last batch handed out
        self._to_seek: set[TP] = set()  # where the fetch position is not what _delivered says
        self._seeks = 0  # moves with every perform_seek and revoke
        self._next_tick = 0.0
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- delivery

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's signature
        """Deliver batches and ticks; yield those that Faust must deliver itself."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        if not await self._seek_back():
            return
        generation, seeks = self.app.consumer_generation_id, self._seeks
        records = await self._fetch(min(timeout, TICK_S))
        runs = {ensure_TP(tp): run for tp, run in records.items() if run}
        self._to_seek.update(runs)
        if seeks != self._seeks or self.should_stop:
            return
        for tp, message in self._ready(runs, generation):
            # What is dropped from here on is fetched again: flow stops only for a rebalance.
            if seeks != self._seeks or not self._flows(generation):
                return
            if not await self._deliver(tp, message):
                yield tp, message

    def _ready(self, runs: Mapping[TP, list[Any]], generation: int) -> Iterator[tuple[TP, Any]]:
        """Give what was fetched as batches, and then the ticks that are due."""
        for tp, run in runs.items():
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            messages = [m for part in split(run) if (m := self._to_batch(tp, part, generation)) is not None]
            self._to_seek.discard(tp)
            for message in messages:
                yield tp, message
        for tp, positions in self._due_ticks():
            yield tp, self._to_tick(tp, Tick(positions), generation)

    async def _deliver(self, tp: TP, message: Any) -> bool:
        """Put a batch or tick into the agent's queue; false if that might have to wait.

        Faust does it for what `getmany` yields, ready to break off, in several turns of the event loop for each.
        With twenty partitions the next fetch was a tenth of a second late. Our queues are never full and flow is
        active, so nothing waits here, unless a rebalance is just changing what goes where.
        """
        self.app.partitions.on_delivered(tp)
        is_changing = self.app.topics._tp_to_callback_lock.locked()  # noqa: SLF001 - Faust's own way
        if is_changing or not self.app.flow_control.is_active():
            return False
        await self.callback(message)
        self._read_offset[tp] = message.offset
        return True

    async def _fetch(self, timeout_s: float) -> Mapping[Any, list[Any]]:
        """Ask for records of all partitions that may have more."""
        wanted = {tp for tp in self._get_active_partitions() if tp in self._delivered}
        wanted = self.app.partitions.fetchable(wanted)
        if not wanted:  # aiokafka would take an empty set for "all"
            await self.sleep(timeout_s)
            return {}
        fetched: Mapping[Any, list[Any]] = await self._getmany(active_partitions=wanted, timeout=timeout_s)
        return fetched

    async def _seek_back(self) -> bool:
        """Put the fetch position where it must be; false if a rebalance came in between."""
        positions = {tp: self._delivered[tp] for tp in self._to_seek if tp in self._delivered}
        if not positions:
            return True
        seeks = self._seeks
        self._to_seek.clear()
        try:
            await self.seek_wait(positions)
        except Exception as exc:  # noqa: BLE001 - not assigned any more: the rebalance sets the position again
            self.log.warning("cannot seek to %r: %r", positions, exc)
            self._to_seek.update(positions)
            await self.sleep(TICK_S)
            return False
        return seeks == self._seeks

    def _flows(self, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation

    def _to_batch(self, tp: TP, run: list[Any], generation: int) -> BatchMessage | None:
        start = self._delivered.get(tp)
        if start is None:  # fetched before perform_seek() set the position
            return None
        run = [r for r in run if r.offset >= start] if run[0].offset < start else run
        if not run:
            return None
        last = run[-1]
        value: Any = run  # Faust says bytes and passes on whatever it is
        message = BatchMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type,
            None, None, value, None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip
        message.start = start
        self._delivered[tp] = last.offset + 1
        return message

    def _due_ticks(self) -> list[tuple[TP, Mapping[SourcePartition, int]]]:
        now = monotonic()
        if now < self._next_tick:
            return []
        self._next_tick = now + TICK_S
        active = self._get_active_partitions()
        try:
            due = self.app.partitions.due(self._fetch_position, self._delivered)
        except Broken as exc:
            self.add_future(self.app.partitions.broken(exc))
            return []
        return [(tp, positions) for tp, positions in due if tp in active and tp in self._delivered]

    def _to_tick(self, tp: TP, tick: Tick, generation: int) -> ConsumerMessage:
        # The topic name is in no acking topic, so nothing is tracked or committed; Faust finds
        # the channel by `tp`. The offset equals the read offset, so Faust's position stays.
        value: Any = tick
        return ConsumerMessage(
            "__tick__", tp.partition, self._read_offset[tp] or 0, 0.0, 0,
            None, None, value, None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Batch borders carry the gaps."""

    def _fetch_position(self, tp: TP) -> int | None:
        """Where the next fetch starts, past control records too; None while it is not known.

        Called by `getmany` only, when all that it fetched was delivered.
        """
        if tp in self._to_seek or tp not in self._delivered:
            return None
        assignment = self._thread._ensure_consumer()._subscription.subscription.assignment  # noqa: SLF001
        state = assignment.state_value(tp) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else None

    # -- offsets

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002 - Faust's signature
        """Commit nothing: offsets travel in our transactions only."""
        return True

    async def commit_offsets(self, offsets: Mapping[TP, Any]) -> None:
        """Commit for a broker without transactions."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001
        await self._thread.call_thread(consumer.commit, dict(offsets))

    def on_offsets_committed(self, offsets: Mapping[TP, int]) -> None:
        """Tell Faust's lag metrics and its livelock detector what we committed."""
        self._committed_offset.update(offsets)
        self.app.monitor.on_tp_commit(dict(offsets))
        self._thread.tp_last_committed_at.update(dict.fromkeys(offsets, monotonic()))

    async def perform_seek(self) -> None:
        """Continue where the state of each partition ends, which is what was committed with it."""
        await super().perform_seek()
        self._seeks += 1
        self._delivered = self.app.partitions.on_seek()
        self._to_seek = set(self._delivered)

    # -- rebalance and stop

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop delivering; Faust then comes to `wait_empty` below."""
        self._seeks += 1
        self._delivered.clear()
        self.app.partitions.on_revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Keep or forget what is owned before Faust asks for the take-over."""
        self.app.partitions.on_assigned(set(assigned), generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Flow is suspended and queues are empty: commit what was processed, then let go."""
        await self.app.partitions.settle()
        await super().wait_empty()

    async def on_stop(self) -> None:
        """Close the writers after the consumer is done."""
        await super().on_stop()
        await asyncio.shield(self.app.partitions.close())


class Transport(driver.Transport):
    """`stagewatch://host:port`."""

    Consumer = BatchConsumer
