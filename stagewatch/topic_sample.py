"""The newest records of one topic, or of a file of captured ones: what a look at a new source begins with.

Reads without a consumer group, so that no worker notices. Called by `stagewatch sources try` and `draft`.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import gzip
import time
from collections import Counter, deque
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from schemas import BadInput, Recorded, TryLater, parse_recorded
from stagewatch.cli import Failed

WAIT_S = 10.0
"""Longest wait for records that the broker says are there."""
MOST_FETCHED = 100_000
"""More than one answer of a broker holds."""
MOST_NAMED = 5
"""Other topics that a message names: enough to see a typing error."""


class Sample(NamedTuple):
    """Records of one topic, by partition and offset."""

    topic: str
    records: list[Recorded]
    partitions: int | None
    """How many the topic has; None for a file, which does not say."""


def sample_topic(bootstrap: str, topic: str, count: int) -> Sample:
    """Give the newest `count` committed records. Raises `TryLater`, and `Failed` where there is nothing to see."""
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    try:
        consumer: Any = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False,
            isolation_level="read_committed",
        )  # fmt: skip
        try:
            known = consumer.topics()
            if topic not in known:
                raise Failed(_no_topic(topic, known, bootstrap))
            tps = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
            found = _newest(consumer, tps, count)
        finally:
            consumer.close()
    except KafkaError as error:
        raise TryLater(f"no Kafka answers at {bootstrap}: {type(error).__name__}") from error
    if not found:
        raise Failed(
            f"{topic} is empty: does its connector run (`stagewatch connectors get`), and does it read the table "
            "(snapshot.mode, table.include.list)? Change one row at the source, then try again"
        )
    return Sample(topic, found, len(tps))


def _newest(consumer: Any, tps: list[Any], count: int) -> list[Recorded]:  # noqa: ANN401 - kafka-python carries no types
    begins, ends = consumer.beginning_offsets(tps), consumer.end_offsets(tps)
    waited = [tp for tp in tps if ends[tp] > begins[tp]]
    consumer.assign(waited)
    for tp in waited:
        consumer.seek(tp, max(begins[tp], ends[tp] - count))
    found: list[Recorded] = []
    deadline = time.monotonic() + WAIT_S
    while waited:
        if time.monotonic() > deadline:
            raise TryLater(f"{waited[0].topic} cannot be read to its end")
        # All that was fetched: the embedded broker names as the end where the last batch begins.
        for batch in consumer.poll(timeout_ms=200, max_records=MOST_FETCHED).values():
            found += [
                Recorded(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, dict(r.headers)) for r in batch
            ]
        waited = [tp for tp in waited if consumer.position(tp) < ends[tp]]
    newest = sorted(found, key=lambda record: (record.timestamp, record.offset))[-count:]
    return sorted(newest, key=lambda record: (record.partition, record.offset))


def _no_topic(topic: str, known: set[str], bootstrap: str) -> str:
    tail = topic.rpartition(".")[2].lower()
    near = [name for name in sorted(known) if name.lower().endswith(tail)] or get_close_matches(topic, sorted(known))
    hint = f"; there is {', '.join(near[:MOST_NAMED])}: say `topic:` in the declaration" if near else ""
    return (
        f"there is no topic {topic} at {bootstrap}{hint}. Its producer makes it with the first record: "
        "`stagewatch connectors apply`, then `connectors get`, show whether one runs"
    )


def sample_file(path: Path, topic: str, count: int) -> Sample:
    """Give the last `count` records of a topic in a file of the replay format (JSON Lines, may be gzipped).

    Raises `Failed` with the place of a line that is no record, and where the file holds nothing of the topic.
    """
    found: deque[Recorded] = deque(maxlen=count)
    others: Counter[str] = Counter()
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = parse_recorded(line)
            except BadInput as error:
                raise Failed(f"{path}:{number}:1: {error}") from None
            if record.topic.lower() == topic.lower():
                found.append(record)
            else:
                others[record.topic] += 1
    if not found:
        named = ", ".join(name for name, _ in others.most_common(MOST_NAMED)) or "no records"
        raise Failed(f"{path} holds no record of {topic}; it holds {named}")
    return Sample(found[-1].topic, list(found), None)
