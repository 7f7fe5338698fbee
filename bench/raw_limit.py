"""The least that anybody must do with the records of `bench track`: aiokafka and msgspec alone, without an engine.

A process of its own, `python -m bench.raw_limit HOST:PORT GROUP EVENTS`: consume, decode the needed fields into a
struct, keep the newest row of each table per instance in a dict, write one changelog record per changed instance
and transaction, commit the offsets in it. No rules, no order between topics, no recovery. Prints one line of JSON.
"""

import asyncio
import sys
import time
from collections import defaultdict
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.connector import TABLES
from bench.rows import Application, ListItem, Progress

INTERVAL_S = 0.5
"""Between commits; our agents, too, let work gather while they catch up."""
MAX_RECORDS = 20_000
FETCH_BYTES = 4 << 20


class Spent(msgspec.Struct):
    """What it took."""

    events: int
    wall_s: float
    cpu_s: float


class _Application(msgspec.Struct, gc=False):
    app_no: str
    org_no: str
    volt_class: str
    tg_no: str
    accepted_at: str
    status_code: str
    archived_at: str | None


class _Visit(msgspec.Struct, gc=False):
    app_no: str
    stage_code: str
    visit_no: int
    handler_no: str
    entered_at: str
    finished_at: str | None
    result_code: str | None


class _Item(msgspec.Struct, gc=False):
    nl_no: str
    trans_no: str
    limit_level: str
    determined_at: str
    published_at: str | None
    cleared_at: str | None


class _ApplicationChange(msgspec.Struct, gc=False):
    after: _Application
    op: str
    ts_ms: int


class _VisitChange(msgspec.Struct, gc=False):
    after: _Visit
    op: str
    ts_ms: int


class _ItemChange(msgspec.Struct, gc=False):
    after: _Item
    op: str
    ts_ms: int


class _Table(NamedTuple):
    """How one topic is read, and where its newest row stands in an instance's state."""

    decode: Any
    slot: int


_TABLES = {
    TABLES[Application].topic: _Table(msgspec.json.Decoder(_ApplicationChange).decode, 0),
    TABLES[Progress].topic: _Table(msgspec.json.Decoder(_VisitChange).decode, 1),
    TABLES[ListItem].topic: _Table(msgspec.json.Decoder(_ItemChange).decode, 2),
}
_encode = msgspec.msgpack.Encoder().encode


class RawWorker:
    """One process's state, and its transactions."""

    def __init__(self, consumer: Any, producer: Any, group: str) -> None:  # noqa: ANN401 - aiokafka has no types
        self._consumer, self._producer, self._group = consumer, producer, group
        self._states: dict[int, dict[bytes, list[Any]]] = defaultdict(dict)
        self._changed: dict[int, set[bytes]] = defaultdict(set)
        self._offsets: dict[Any, int] = {}

    async def work(self, events: int) -> Spent:
        """Read so many records; the time runs from the first to the last commit."""
        done, begin, cpu, committed = 0, 0.0, 0.0, 0.0
        while done < events:
            batches = await self._consumer.getmany(timeout_ms=1000, max_records=MAX_RECORDS)
            if not done:
                begin, cpu = time.monotonic(), time.process_time()
                committed = begin
            for tp, records in batches.items():
                self._take(tp, records)
                done += len(records)
            if time.monotonic() - committed > INTERVAL_S or done >= events:
                await self._commit()
                committed = time.monotonic()
        return Spent(done, time.monotonic() - begin, time.process_time() - cpu)

    def _take(self, tp: Any, records: list[Any]) -> None:  # noqa: ANN401 - aiokafka has no types
        decode, slot = _TABLES[tp.topic]
        states, changed = self._states[tp.partition], self._changed[tp.partition]
        for record in records:
            key = record.key
            state = states.get(key)
            if state is None:
                state = states[key] = [None, None, None]
            state[slot] = decode(record.value).after
            changed.add(key)
        self._offsets[tp] = records[-1].offset + 1

    async def _commit(self) -> None:
        producer, sent = self._producer, []
        await producer.begin_transaction()
        for partition, keys in self._changed.items():
            states, batch = self._states[partition], producer.create_batch()
            for key in keys:
                value = _encode(states[key])
                if batch.append(key=key, value=value, timestamp=None) is None:
                    sent.append(await producer.send_batch(batch, f"{self._group}-changelog", partition=partition))
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None)
            sent.append(await producer.send_batch(batch, f"{self._group}-changelog", partition=partition))
        await asyncio.gather(*sent)
        await producer.send_offsets_to_transaction(self._offsets, self._group)
        await producer.commit_transaction()
        self._changed.clear()
        self._offsets.clear()


async def work_off(bootstrap: str, group: str, events: int) -> Spent:
    """Connect and work."""
    consumer = AIOKafkaConsumer(
        *_TABLES, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed", max_partition_fetch_bytes=FETCH_BYTES,
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=group, enable_idempotence=True, max_batch_size=1 << 20
    )
    await consumer.start()
    await producer.start()
    try:
        return await RawWorker(consumer, producer, group).work(events)
    finally:
        await producer.stop()
        await consumer.stop()


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(work_off(sys.argv[1], sys.argv[2], int(sys.argv[3])))).decode())
