"""What the broker knows of captured topics: how much, how far it was read, when it last spoke. Reads, never writes.

Called by `stagewatch sources health`. Joins no consumer group.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from connectors.health import TopicFlow, came
from schemas import TryLater

SAMPLE = 50
"""Newest records of each partition that are looked at: enough gaps for a rhythm, a moment to read."""
WAIT_S = 15.0
"""Longest time that reading the samples may take; what has not come by then is left out."""


def read_flows(bootstrap: str, topics: Iterable[str], *, group: str) -> dict[str, TopicFlow]:
    """Give the flow of each of the topics that exist; `group`: the worker's consumer group.

    Raises `TryLater` if the broker does not answer.
    """
    from kafka import KafkaAdminClient, KafkaConsumer  # noqa: PLC0415 - half a second that other commands need not wait
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    servers = bootstrap.split(",")
    try:
        consumer: Any = KafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
        try:
            known = consumer.topics()
            admin: Any = KafkaAdminClient(bootstrap_servers=servers)
            try:
                read = read_offsets(admin, group)
            finally:
                admin.close()
            return _flows(consumer, [topic for topic in topics if topic in known], read)
        finally:
            consumer.close()
    except KafkaError as error:
        raise TryLater(f"no Kafka answers at {bootstrap}: {type(error).__name__}") from error


def read_offsets(admin: Any, group: str, *, pause_s: float = 0.2) -> dict[Any, int]:  # noqa: ANN401 - kafka-python carries no types
    """Give by partition how far a group has read.

    Waits for a Kafka that never had a group: asked for the first time, it makes their topic, and says meanwhile that
    nobody keeps them.
    """
    from kafka.errors import CoordinatorNotAvailableError  # noqa: PLC0415 - as above

    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            kept = admin.list_group_offsets({group: None})[group]
        except CoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(pause_s)
        else:
            return {tp: found.offset for tp, found in kept.items() if found.offset >= 0}


def existing_topics(bootstrap: str, *, wait_s: float = 30.0) -> frozenset[str]:
    """Give the names of all topics. Raises `TryLater` if no broker answers within `wait_s` (30: Kafka's own)."""
    from kafka import KafkaConsumer  # noqa: PLC0415 - as above
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    try:
        consumer: Any = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False,
            bootstrap_timeout_ms=int(wait_s * 1000),
        )  # fmt: skip
        try:
            return frozenset(consumer.topics())
        finally:
            consumer.close()
    except KafkaError as error:
        raise TryLater(f"no Kafka answers at {bootstrap}: {type(error).__name__}") from error


def _flows(consumer: Any, topics: list[str], read: dict[Any, int]) -> dict[str, TopicFlow]:  # noqa: ANN401 - kafka-python carries no types
    from kafka import TopicPartition  # noqa: PLC0415 - as above

    parts = {t: [TopicPartition(t, n) for n in sorted(consumer.partitions_for_topic(t) or ())] for t in topics}
    every = [tp for found in parts.values() for tp in found]
    begins, ends = consumer.beginning_offsets(every), consumer.end_offsets(every)
    times, now = _newest(consumer, begins, ends), int(time.time() * 1000)
    found = {}
    for topic, tps in parts.items():
        known = [read[tp] for tp in tps if tp in read]
        every_time = [at for tp in tps for at in times[tp]]
        stamps = _together([[at for at in times[tp] if came(at, now)] for tp in tps])
        found[topic] = TopicFlow(
            records=sum(ends[tp] - begins[tp] for tp in tps),
            unread=sum(max(ends[tp] - read.get(tp, begins[tp]), 0) for tp in tps) if known else None,
            last_at=max((at for at in every_time if came(at, now)), default=max(every_time, default=None)),
            gaps=tuple(later - earlier for earlier, later in pairwise(stamps)),
            ahead=sum(not came(at, now) for at in every_time),
        )
    return found


def _newest(consumer: Any, begins: dict[Any, int], ends: dict[Any, int]) -> dict[Any, list[int]]:  # noqa: ANN401 - as above
    """Give the timestamps of the newest records of each partition, in order; mends `ends`.

    The embedded broker's answer about ends lies inside the last batch; what a fetch says beside its records is right.
    """
    told: set[Any] = set()
    times: dict[Any, list[int]] = {tp: [] for tp in ends}
    waited = [tp for tp, end in ends.items() if end > begins[tp]]
    consumer.assign(waited)
    for tp in waited:
        consumer.seek(tp, max(begins[tp], ends[tp] - SAMPLE))
    deadline = time.monotonic() + WAIT_S
    while waited and time.monotonic() < deadline:
        for tp, records in consumer.poll(timeout_ms=200).items():
            times[tp] += [record.timestamp for record in records]
        for tp in (tp for tp in waited if tp not in told and consumer.highwater(tp) is not None):
            told.add(tp)
            ends[tp] = max(ends[tp], consumer.highwater(tp))
        waited = [tp for tp in waited if consumer.position(tp) < ends[tp]]
    return {tp: found[-SAMPLE:] for tp, found in times.items()}


def _together(times: list[list[int]]) -> list[int]:
    """Give the timestamps of all partitions in order, from where the samples of all of them have begun."""
    begun = [min(found) for found in times if found]
    return sorted(at for found in times for at in found if at >= max(begun)) if begun else []
