"""What commands write to topics: every record is there when they end, or they fail and say so."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stagewatch.cli import Failed

SEND_S = 15.0
"""A broker that does not take a record within this is away."""


class Outgoing(NamedTuple):
    """A record and its place; `partition` None: that of its key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None


def send_records(
    bootstrap: str, topic: str, records: Iterable[tuple[str, bytes]], *, partition: int | None = None
) -> None:
    """Write keys and values, to the partitions of their keys unless one is named. Raises Failed."""
    send_all(bootstrap, (Outgoing(topic, key.encode(), value, partition) for key, value in records))


def send_all(bootstrap: str, records: Iterable[Outgoing]) -> None:
    """Write records, each to its place. Raises Failed."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    from connectors import sent_key, written_keys

    try:
        producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all", key_serializer=written_keys())
        waiting = [producer.send(r.topic, r.value, key=sent_key(r.key), partition=r.partition) for r in records]
        for each in waiting:
            each.get(SEND_S)
        producer.close()
    except KafkaError as error:
        raise Failed(f"could not send: {type(error).__name__}: {error}") from error
