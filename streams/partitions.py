"""The partitions this worker owns: their state, their writers, their coming and going.

Life of a partition: fence -> recover the changelog -> check it against the committed offsets -> process and
commit -> settle (rebalance) -> keep, or close and forget. State lives and dies with the partition.
Called by `transport.py` (the consumer's side) and by the agents' streams (`handle`).
"""

# ruff: noqa: ANN401 - `Any` stands for Faust's app, events and messages

import asyncio
import logging
import os
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from faust.types import TP

from schemas.errors import Broken
from streams.logic import Agent, Batch, Committed, Lease, Logic, SourcePartition
from streams.recovery import LogEnd, recover
from streams.transactions import Writer

log = logging.getLogger("stagewatch.partitions")

EXIT_BROKEN = 70
"""EX_SOFTWARE: memory is ahead of the log; a supervisor must start the worker again."""
LAZY_S = 1.0
"""What nobody waits for (progress marks alone) is committed this often."""
SETTLE_TIMEOUT_S = 8.0
"""SIGTERM must end the process within 10 s."""
BUSY_BACKLOG = 300
"""Records waiting: above it, fewer and larger transactions are worth more than a quick one."""
CATCH_UP_S = 0.5
"""How often a partition commits that catches up."""
QUICK_LEASES = 16
"""With more leases at work a partition that is not busy waits longer between transactions: each costs milliseconds."""
MAX_QUEUED = 2
"""Batches of one partition in Faust's queue: one in work, one ready."""
MAX_BACKLOG = 40_000
"""Records of one partition waiting for a transaction; then fetching pauses."""


class Broker(Protocol):
    """What the core asks the broker for, outside Faust's consumer."""

    settings: Mapping[str, Any]
    is_exact: bool
    """It has transactions."""

    def writer(self, lease: Lease) -> Writer:
        """Make the writer of a lease; it is not fenced yet."""

    async def committed(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, Committed]:
        """What the group has committed, from its coordinator; what it never committed is left out."""

    async def beginnings(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, int]:
        """The first offset of each partition that still exists."""


class Observer(Protocol):
    """Who is told of what was committed (metrics, the watchdog)."""

    def on_transaction(self, agent: str, seconds: float) -> None:
        """A transaction was committed; it took so long."""


class Partition:
    """One lease: its logic, its writer and the events not yet acknowledged."""

    def __init__(self, lease: Lease, agent: Agent, writer: Writer, tps: frozenset[TP]) -> None:
        self.lease, self.agent, self.writer, self.tps = lease, agent, writer, tps
        self.logic: Logic = agent.open(lease)
        self.positions: dict[TP, int] = {}
        self.log_end: LogEnd | None = None
        """Known from recovery on, if there is a changelog and a broker that writes it exactly."""
        self.is_ready = False
        self.queued = 0
        self.events: list[Any] = []
        self.started = 0.0
        self.task: asyncio.Task[None] | None = None
        self.idle = asyncio.Event()
        self.idle.set()
        self.work = asyncio.Event()
        self.hurry = asyncio.Event()

    def stage(self, event: Any) -> None:
        """Put the step that just ran into the next transaction; `event` is acknowledged after it."""
        if not self.logic.is_dirty():
            if event is not None:
                event.ack()
            return
        if event is not None:
            self.events.append(event)
        self.idle.clear()
        self.work.set()
        if self.logic.is_urgent():
            self.hurry.set()

    def take(self) -> tuple[Batch, list[Any]]:
        """Take everything staged. Synchronous: what is encoded is the state exactly at these offsets."""
        batch = self.logic.take()
        if self.log_end is not None:
            self.log_end.note(batch)
        events, self.events = self.events, []
        self.work.clear()
        self.hurry.clear()
        return batch, events


class Partitions:
    """All owned partitions of one Faust app. Bound to the app as `app.partitions`."""

    def __init__(
        self, app: Any, *, agents: Iterable[Agent], counts: Mapping[str, int], broker: Broker, observer: Observer
    ) -> None:
        self.app = app
        self.agents = {topic: agent for agent in agents for topic in agent.topics}
        self.is_stopping = False
        self.on_ready: Callable[[int], None] = lambda _count: None
        self._counts, self._broker, self._observer = counts, broker, observer
        self._owned: dict[Lease, Partition] = {}
        self._by_tp: dict[TP, Partition] = {}
        self._generation = -1
        self._turn = 0  # moves with every revoke; a take-over of an older turn gives up
        self._closing: set[asyncio.Task[None]] = set()
        app.partitions = self
        app.on_rebalance_complete.connect(self._on_rebalance_complete)

    # -- the agents' side

    async def handle(self, event: Any) -> None:
        """Run one batch or tick and stage its effects. Returns before they are committed."""
        message = event.message
        partition = self._by_tp.get(message.tp)
        if partition is None or not partition.is_ready:
            raise Broken(f"{message.tp}: event for a partition that is not ours")
        partition.queued -= 1
        if message.topic in self.agents:
            self._apply(partition, message)
        else:
            partition.logic.tick(message.value.positions)
        partition.stage(event)
        while partition.logic.has_more() and self._may_go_on(partition):
            # Full: let the writer catch up.
            await asyncio.sleep(0.005 if partition.logic.backlog() > MAX_BACKLOG else 0)
            if partition.logic.backlog() > MAX_BACKLOG:
                continue
            partition.logic.tick({})
            partition.stage(None)

    def _may_go_on(self, partition: Partition) -> bool:
        """Neither taken away nor about to be: the rest is done by the next tick, here or elsewhere."""
        return partition.is_ready and not self.app.consumer.suspend_flow.is_set()

    @staticmethod
    def _apply(partition: Partition, message: Any) -> None:
        """Give the logic the records it has not had; Broken if one before them was lost."""
        tp, records = message.tp, message.value
        position = partition.positions.get(tp, message.start)
        Partitions._check_border(tp, message.start, position)
        if records[0].offset < position:
            records = [r for r in records if r.offset >= position]
        if records:
            partition.logic.apply(SourcePartition(tp.topic, tp.partition), records, message.offset + 1)
            partition.positions[tp] = message.offset + 1

    @staticmethod
    def _check_border(tp: TP, start: int, position: int) -> None:
        """Raise Broken if what comes next begins beyond the end of the state: what was fetched in between is lost."""
        if start > position:
            raise Broken(f"{tp}: what comes next starts at {start}, state ends at {position}")

    async def _write(self, partition: Partition) -> None:
        try:
            while True:
                await partition.work.wait()
                await self._gather(partition)
                partition.started = time.monotonic()
                batch, events = partition.take()
                await partition.writer.write(batch)
                self._observer.on_transaction(partition.lease.agent, time.monotonic() - partition.started)
                moved = {TP(*tp): committed.offset for tp, committed in batch.offsets.items()}
                self.app.consumer.on_offsets_committed({tp: moved[tp] for tp in moved.keys() & partition.tps})
                partition.logic.on_committed()
                for event in events:
                    event.ack()
                if not partition.work.is_set():
                    partition.idle.set()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever it is, memory is ahead of the log
            await self.broken(exc)

    async def _gather(self, partition: Partition) -> None:
        """Let more steps join the transaction: a busy partition groups, an idle one goes at once."""
        flow_ends = self.app.consumer.suspend_flow
        if not partition.hurry.is_set() and not flow_ends.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(partition.hurry.wait(), LAZY_S)
        is_busy = partition.logic.backlog() > BUSY_BACKLOG
        agent, crowd = partition.agent, max(1.0, self._at_work() / QUICK_LEASES)
        interval_s = agent.interval_s if is_busy else agent.quick_s * crowd
        if is_busy and partition.logic.is_catching_up():
            interval_s = CATCH_UP_S
        wait = partition.started + interval_s - time.monotonic()
        if wait > 0 and not flow_ends.is_set() and not self.is_stopping:
            await asyncio.sleep(wait)

    def _at_work(self) -> int:
        """Count the leases that wrote within the last second."""
        return sum(time.monotonic() - partition.started < LAZY_S for partition in self._owned.values())

    async def broken(self, exc: BaseException) -> None:
        """Stop without another write. State in memory is ahead of the log and must not survive."""
        log.critical("broken, leaving: %s", exc, exc_info=None if isinstance(exc, Broken) else exc)
        for partition in self._owned.values():
            if partition.task is not None and partition.task is not asyncio.current_task():
                partition.task.cancel()
        try:
            aborts = [asyncio.ensure_future(p.writer.abort()) for p in self._owned.values()]
            if aborts:
                await asyncio.wait(aborts, timeout=2.0)
        finally:  # cancelled meanwhile (`settle` runs under the time-out of the stop), or not: it must not live on
            logging.shutdown()
            os._exit(EXIT_BROKEN)

    # -- the consumer's side

    def fetchable(self, tps: set[TP]) -> set[TP]:
        """Leave out what is held back or has enough in the queue."""
        wanted = set()
        for tp in tps:
            partition = self._by_tp.get(tp)
            if partition is None or partition.queued >= MAX_QUEUED or partition.logic.backlog() > MAX_BACKLOG:
                continue
            if not partition.agent.is_held(SourcePartition(tp.topic, tp.partition)):
                wanted.add(tp)
        return wanted

    def due(
        self, position_of: Callable[[TP], int | None], delivered: Mapping[TP, int]
    ) -> list[tuple[TP, Mapping[SourcePartition, int]]]:
        """One input partition of each owned partition that a tick would move, and where fetching stands.

        Only partitions with nothing in the queue: all up to `delivered` (the last batch's end) has been applied, and
        a fetch position beyond is that of control records. Raises Broken if not: a tick would pass over what is lost.
        """
        found: list[tuple[TP, Mapping[SourcePartition, int]]] = []
        for partition in self._owned.values():
            if partition.is_ready and partition.queued == 0:
                for tp in partition.tps & delivered.keys():
                    self._check_border(tp, delivered[tp], partition.positions.get(tp, delivered[tp]))
                found_at = {SourcePartition(*tp): position_of(tp) for tp in partition.tps}
                positions = {tp: position for tp, position in found_at.items() if position is not None}
                if partition.logic.has_more() or partition.logic.is_due(positions):
                    found.append((next(iter(partition.tps)), positions))
        return found

    def on_delivered(self, tp: TP) -> None:
        """A batch or tick goes into Faust's queue."""
        self._by_tp[tp].queued += 1

    def on_seek(self) -> dict[TP, int]:
        """Give where to read on for every ready partition; Faust's queues are empty now."""
        for partition in self._owned.values():
            partition.queued = 0
        return {tp: offset for p in self._owned.values() if p.is_ready for tp, offset in p.positions.items()}

    def on_revoked(self) -> None:
        """Give up take-overs that are under way."""
        self._turn += 1
        for lease in [lease for lease, p in self._owned.items() if not p.is_ready]:
            self._forget(lease)

    def on_assigned(self, tps: set[TP], generation: int) -> None:
        """Keep state only of a partition that cannot have had another owner in between."""
        missed = generation != self._generation + 1
        self._generation = generation
        assigned = self._leases(tps)
        for lease in [lease for lease in self._owned if missed or lease not in assigned]:
            self._forget(lease)

    def _leases(self, tps: Iterable[TP]) -> dict[Lease, frozenset[TP]]:
        """Group what is assigned by agent, partition count and number: what one owner holds together.

        Agents without state may have topics of several counts. Their group names the topics too: workers that
        do not yet know the same topics must not take leases from one another.
        """
        groups: dict[tuple[str, int, int], set[TP]] = defaultdict(set)
        for tp in tps:
            if tp.topic in self.agents:
                agent = self.agents[tp.topic]
                groups[agent.name, self._counts.get(tp.topic, 0), tp.partition].add(tp)
        leases = {}
        for (name, count, number), members in groups.items():
            topics = ",".join(sorted(tp.topic for tp in members))
            is_stateful = self.agents[next(iter(members)).topic].changelog is not None
            group = "" if is_stateful else f"{count}-{zlib.crc32(topics.encode()):08x}"
            leases[Lease(name, group, number)] = frozenset(members)
        return leases

    async def settle(self) -> None:
        """Wait until all that was processed is committed."""
        waiting = [p for p in self._owned.values() if p.is_ready]
        for partition in waiting:
            partition.hurry.set()
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                for partition in waiting:
                    await partition.idle.wait()
        except TimeoutError:
            await self.broken(Broken(f"could not settle in {SETTLE_TIMEOUT_S} s"))

    async def close(self) -> None:
        """Let go of everything."""
        for lease in list(self._owned):
            self._forget(lease)
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)

    def _forget(self, lease: Lease) -> None:
        partition = self._owned.pop(lease)
        partition.is_ready = False
        for tp in partition.tps:
            if self._by_tp.get(tp) is partition:
                del self._by_tp[tp]
        if partition.task is not None:
            partition.task.cancel()
        partition.logic.close()
        task = asyncio.ensure_future(partition.writer.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # -- taking over

    async def _on_rebalance_complete(self, *_: Any, **__: Any) -> None:
        """Faust awaits this before it seeks and lets data flow (tables/recovery.py, _resume_streams)."""
        turn, generation = self._turn, self.app.consumer_generation_id
        try:
            await self._take_over(lambda: turn == self._turn)
        except Exception as exc:  # noqa: BLE001 - a partition that cannot be taken over stands still for ever
            if turn == self._turn and not self.is_stopping:
                await self.broken(exc)
        while turn != self._turn and generation == self.app.consumer_generation_id:  # noqa: ASYNC110 - Faust's state
            await asyncio.sleep(0.02)  # revoked meanwhile: do not let Faust resume the old generation

    async def _take_over(self, is_current: Callable[[], bool]) -> None:
        assigned = self._leases(self.app.consumer.assignment())
        new = [
            Partition(lease, self.agents[next(iter(tps)).topic], self._broker.writer(lease), tps)
            for lease, tps in sorted(assigned.items())
            if lease not in self._owned
        ]
        self._owned.update({p.lease: p for p in new})
        started = time.monotonic()
        await asyncio.gather(*(p.writer.fence() for p in new))  # BEFORE anything is read
        fenced = time.monotonic()
        targets = {
            SourcePartition(p.agent.changelog, p.lease.number): p.logic.load
            for p in new
            if p.agent.changelog is not None
        }
        read = await recover(targets, settings=self._broker.settings, is_current=is_current)
        if new and is_current():
            await self._set_positions(new, read.ends if self._broker.is_exact else {})
        if not is_current():
            return
        for partition in new:
            partition.is_ready = True
            self._by_tp.update(dict.fromkeys(partition.tps, partition))
            partition.task = asyncio.ensure_future(self._write(partition))
        log.info(
            "took over %d partitions: fenced in %.2f s, %d changelog records in %.2f s",
            len(new), fenced - started, read.records, time.monotonic() - fenced,
        )  # fmt: skip
        self.on_ready(len(self._owned))

    async def _set_positions(self, new: list[Partition], ends: Mapping[SourcePartition, int]) -> None:
        """Ask each state where to read on, which it checks against what was committed with it.

        `ends` tells where the changelogs end, on a broker that writes them exactly.
        """
        tps = [SourcePartition(*tp) for p in new for tp in p.tps]
        committed = await self._broker.committed([*tps, *ends])
        beginnings = await self._broker.beginnings(tps)
        for partition in new:
            changelog = SourcePartition(partition.agent.changelog or "", partition.lease.number)
            if changelog in ends:
                partition.log_end = LogEnd(changelog, ends[changelog], committed.get(changelog))
            mine = {SourcePartition(*tp) for tp in partition.tps}
            positions = partition.logic.recover({tp: c for tp, c in committed.items() if tp in mine})
            for tp in mine:
                position = positions.get(tp, beginnings[tp])
                if position < beginnings[tp]:
                    log.error("%s-%d: %d records were deleted before they were read", *tp, beginnings[tp] - position)
                partition.positions[TP(*tp)] = position
