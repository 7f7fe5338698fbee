"""Partitions: leases, what is kept over a rebalance, and that a gap between log and state is never passed over."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas import Broken, Raw
from streams.logic import Agent, Batch, Committed, Lease, Logic, SourcePartition
from streams.partitions import Partitions


class RememberingLogic:
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.next = 0
        self.is_closed = False

    def load(self, records: Sequence[Raw]) -> None: ...

    def recover(self, committed: Mapping[SourcePartition, Committed]) -> Mapping[SourcePartition, int]:
        return {tp: found.offset for tp, found in committed.items()}

    def apply(self, source: SourcePartition, records: Sequence[Raw], next_offset: int) -> None:
        self.offsets += [record.offset for record in records]
        self.next = next_offset

    def tick(self, positions: Mapping[SourcePartition, int]) -> None: ...
    def on_committed(self) -> None: ...

    def is_due(self, positions: Mapping[SourcePartition, int]) -> bool:
        return False

    def has_more(self) -> bool:
        return False

    def is_dirty(self) -> bool:
        return bool(self.next)

    def is_urgent(self) -> bool:
        return bool(self.next)

    def take(self) -> Batch:
        batch = Batch(offsets={SourcePartition("cdc.a", 0): Committed(self.next)})
        self.next = 0
        return batch

    def is_catching_up(self) -> bool:
        return False

    def backlog(self) -> int:
        return 0

    def close(self) -> None:
        self.is_closed = True


class OneAgent:
    changelog = None
    interval_s = quick_s = 0.0

    def __init__(self, name: str, *topics: str, changelog: str | None = None) -> None:
        self.name, self.topics, self.changelog = name, frozenset(topics), changelog
        self.opened: list[RememberingLogic] = []

    def open(self, lease: Lease) -> Logic:
        self.opened.append(RememberingLogic())
        return self.opened[-1]

    def is_held(self, source: SourcePartition) -> bool:
        return False


class MemoryWriter:
    def __init__(self, broker: "MemoryBroker") -> None:
        self._broker = broker

    async def fence(self) -> None:
        self._broker.happened.append("fence")

    async def write(self, batch: Batch) -> None:
        self._broker.offsets |= batch.offsets
        self._broker.happened.append("write")

    async def abort(self) -> None: ...
    async def close(self) -> None: ...


class MemoryBroker:
    def __init__(self) -> None:
        self.settings: Mapping[str, Any] = {}
        self.is_exact = True
        self.offsets: dict[SourcePartition, Committed] = {}
        self.happened: list[str] = []

    def writer(self, lease: Lease) -> MemoryWriter:
        return MemoryWriter(self)

    async def committed(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, Committed]:
        self.happened.append("committed")
        return self.offsets

    async def beginnings(self, tps: Iterable[SourcePartition]) -> Mapping[SourcePartition, int]:
        return dict.fromkeys(tps, 0)


class FakeConsumer:
    def __init__(self) -> None:
        self.suspend_flow = asyncio.Event()
        self.assigned: set[TP] = set()

    def assignment(self) -> set[TP]:
        return self.assigned

    def on_offsets_committed(self, offsets: Mapping[TP, int]) -> None: ...


class World:
    """A group member with partition 0 of one topic, without Kafka and Faust."""

    def __init__(self, *agents: Agent, counts: Mapping[str, int]) -> None:
        self.broker = MemoryBroker()
        self.consumer = FakeConsumer()
        self.app = SimpleNamespace(
            consumer=self.consumer,
            consumer_generation_id=1,
            on_rebalance_complete=SimpleNamespace(connect=lambda _: None),
        )
        observer = SimpleNamespace(on_transaction=lambda _agent, _seconds: None)
        self.partitions = Partitions(self.app, agents=agents, counts=counts, broker=self.broker, observer=observer)

    async def rebalance(self, tps: set[TP], generation: int) -> None:
        self.partitions.on_revoked()
        await self.partitions.settle()
        self.app.consumer_generation_id = generation
        self.consumer.assigned = tps
        self.partitions.on_assigned(tps, generation)
        await self.partitions._take_over(lambda: True)  # noqa: SLF001 - what Faust's signal brings about

    async def deliver(self, tp: TP, offsets: list[int], start: int) -> None:
        records = [SimpleNamespace(offset=o) for o in offsets]
        message = SimpleNamespace(tp=tp, topic=tp.topic, value=records, offset=offsets[-1], start=start)
        self.partitions.on_delivered(tp)
        await self.partitions.handle(SimpleNamespace(message=message, ack=lambda: None))


def test_a_partition_is_fenced_before_its_offsets_are_read() -> None:
    async def run() -> None:
        world = World(OneAgent("rekey", "cdc.a"), counts={"cdc.a": 1})
        await world.rebalance({TP("cdc.a", 0)}, 1)
        assert world.broker.happened[:2] == ["fence", "committed"]

    asyncio.run(run())


def test_records_that_were_applied_are_trimmed_and_a_hole_is_broken() -> None:
    async def run() -> None:
        agent = OneAgent("rekey", "cdc.a")
        world = World(agent, counts={"cdc.a": 1})
        tp = TP("cdc.a", 0)
        await world.rebalance({tp}, 1)
        await world.deliver(tp, [0, 1, 2], 0)
        await world.deliver(tp, [1, 2, 3], 1)
        assert agent.opened[0].offsets == [0, 1, 2, 3]
        with pytest.raises(Broken):
            await world.deliver(tp, [9], 8)

    asyncio.run(run())


def test_a_tick_does_not_pass_over_a_batch_that_was_lost_on_its_way() -> None:
    async def run() -> None:
        world = World(OneAgent("rekey", "cdc.a"), counts={"cdc.a": 1})
        tp = TP("cdc.a", 0)
        await world.rebalance({tp}, 1)
        await world.deliver(tp, [0, 1, 2], 0)
        assert world.partitions.due(lambda _: 5, {tp: 3}) == [], "two control records were fetched, nothing is due"
        with pytest.raises(Broken, match="what comes next starts at 9, state ends at 3"):
            world.partitions.due(lambda _: 9, {tp: 9})

    asyncio.run(run())


def test_offset_holes_inside_a_batch_are_no_loss() -> None:
    async def run() -> None:
        agent = OneAgent("rekey", "cdc.a")
        world = World(agent, counts={"cdc.a": 1})
        await world.rebalance({TP("cdc.a", 0)}, 1)
        await world.deliver(TP("cdc.a", 0), [2, 5, 9], 0)
        await world.deliver(TP("cdc.a", 0), [14], 10)
        assert agent.opened[0].offsets == [2, 5, 9, 14]

    asyncio.run(run())


def test_settling_commits_what_was_processed() -> None:
    async def run() -> None:
        world = World(OneAgent("rekey", "cdc.a"), counts={"cdc.a": 1})
        await world.rebalance({TP("cdc.a", 0)}, 1)
        await world.deliver(TP("cdc.a", 0), [0, 1], 0)
        await world.partitions.settle()
        assert world.broker.offsets == {SourcePartition("cdc.a", 0): Committed(2)}

    asyncio.run(run())


@pytest.mark.parametrize(("generation", "is_kept"), [(2, True), (3, False)])
def test_state_is_kept_only_if_nobody_else_can_have_owned_it(generation: int, *, is_kept: bool) -> None:
    async def run() -> None:
        agent = OneAgent("track", "changes")
        world = World(agent, counts={"changes": 1})
        await world.rebalance({TP("changes", 0)}, 1)
        await world.rebalance({TP("changes", 0)}, generation)
        assert len(agent.opened) == (1 if is_kept else 2)
        assert agent.opened[0].is_closed is not is_kept

    asyncio.run(run())


def test_leases_group_partitions_by_agent_count_and_number() -> None:
    rekey, track = OneAgent("rekey", "cdc.a", "cdc.b", "cdc.c"), OneAgent("track", "changes", changelog="log")

    async def run() -> dict[Lease, frozenset[TP]]:
        world = World(rekey, track, counts={"cdc.a": 2, "cdc.b": 2, "cdc.c": 1, "changes": 2})
        tps = {TP("cdc.a", 0), TP("cdc.b", 0), TP("cdc.c", 0), TP("cdc.a", 1), TP("cdc.b", 1), TP("changes", 0)}
        return world.partitions._leases(tps)  # noqa: SLF001 - pure, and worth its own test

    leases = asyncio.run(run())
    assert sorted(map(sorted, leases.values())) == sorted(
        map(
            sorted,
            ({TP("cdc.a", 0), TP("cdc.b", 0)}, {TP("cdc.a", 1), TP("cdc.b", 1)}, {TP("cdc.c", 0)}, {TP("changes", 0)}),
        )
    )
    assert {lease.name for lease in leases if lease.agent == "track"} == {"track-0"}
    assert len({lease.name for lease in leases}) == 4


def test_workers_that_know_other_topics_do_not_take_each_others_leases() -> None:
    async def lease_of(*topics: str) -> set[str]:
        world = World(OneAgent("rekey", "cdc.a", "cdc.b"), counts={"cdc.a": 1, "cdc.b": 1})
        return {lease.name for lease in world.partitions._leases({TP(topic, 0) for topic in topics})}  # noqa: SLF001

    async def run() -> bool:
        return (await lease_of("cdc.a")).isdisjoint(await lease_of("cdc.a", "cdc.b"))

    assert asyncio.run(run())
