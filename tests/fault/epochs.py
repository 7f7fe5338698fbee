"""Who wrote what, read from the broker's own files: the producer epoch of every batch in a log.

The proof that a zombie wrote nothing: after another took its leases, no batch with an older epoch was appended.
Batch header: Kafka protocol guide, "Record Batch" (magic 2).
"""

import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kafka.errors import KafkaError

ASK_S, ASK_AGAIN_S = 20.0, 0.2
_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT = 12
"""Bytes before what `batchLength` counts."""
_IS_CONTROL = 0x20


class Batch(NamedTuple):
    """The header of one batch."""

    topic: str
    partition: int
    offset: int
    producer_id: int
    epoch: int
    is_control: bool


class Lease(NamedTuple):
    """What the transaction coordinator knows of a transactional id."""

    producer_id: int
    epoch: int


def leases(admin: Any) -> dict[str, Lease]:
    """Give the present lease of every transactional id. `admin`: kafka-python's, which carries no types.

    Asks again while the coordinator is still reading its log; raises what it says if that does not end.
    """
    deadline = time.monotonic() + ASK_S
    while True:
        try:
            listed = [found for of_broker in admin.list_transactions().values() for found in of_broker]
            described = admin.describe_transactions([found.transactional_id for found in listed])
        except KafkaError:
            if time.monotonic() > deadline:
                raise
            time.sleep(ASK_AGAIN_S)
        else:
            return {name: Lease(found.producer_id, found.producer_epoch) for name, found in described.items()}


def stale(found: Iterable[Batch], taken: Mapping[str, Lease]) -> list[Batch]:
    """Give the batches that somebody wrote whose lease another had taken before."""
    newest = {lease.producer_id: lease.epoch for lease in taken.values()}
    return [b for b in found if not b.is_control and b.epoch < newest.get(b.producer_id, -1)]


def batches(data: Path, since: Mapping[tuple[str, int], int]) -> Iterator[Batch]:
    """Give the headers of all batches from these offsets on, of partitions named there, from the log files."""
    for (topic, partition), offset in since.items():
        for segment in sorted((data / f"{topic}-{partition}").glob("*.log")):
            yield from (b for b in _segment(segment, topic, partition) if b.offset >= offset)


def _segment(path: Path, topic: str, partition: int) -> Iterator[Batch]:
    content = path.read_bytes()
    at = 0
    while at + _HEADER.size <= len(content):
        offset, length, _, _, _, attributes, _, _, _, producer_id, epoch, _, _ = _HEADER.unpack_from(content, at)
        if length <= 0:  # preallocated and not written
            return
        yield Batch(topic, partition, offset, producer_id, epoch, bool(attributes & _IS_CONTROL))
        at += _LENGTH_AT + length
