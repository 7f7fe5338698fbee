"""Read changelog partitions back into memory, to the end and not to a guessed last record."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import Broken
from streams.logic import Batch, Committed, SourcePartition

SILENT_S = 60.0
"""A broker that says nothing for so long is out of reach: begin anew, with connections of which all is known."""
CANNOT_RECOVER = "state cannot be recovered from the rest: restore the topic, or start with a new application_id"
Apply = Callable[[list[Any]], None]


class LogRead(NamedTuple):
    """What was read of changelogs."""

    records: int
    ends: Mapping[SourcePartition, int]
    """The last stable offset of each."""


async def recover(
    targets: Mapping[SourcePartition, Apply], *, settings: Mapping[str, Any], is_current: Callable[[], bool]
) -> LogRead:
    """Give every committed record of the partitions to its `Apply`, in order.

    Call after the partition was fenced: from then on its end cannot move. The end is the
    *position* reaching the last stable offset, since the last records may be control records,
    aborted or compacted away. Stops early when `is_current()` turns false.

    Raises Broken if records were deleted from the beginning: what is left would be taken for the whole.
    """
    if not targets:
        return LogRead(0, {})
    tps = {TopicPartition(*target): apply for target, apply in targets.items()}
    consumer = AIOKafkaConsumer(
        group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed", max_partition_fetch_bytes=1 << 20, fetch_max_wait_ms=50, **settings,
    )  # fmt: skip
    await consumer.start()
    count = 0
    try:
        consumer.assign(list(tps))
        check_beginnings(await consumer.beginning_offsets(list(tps)))
        await consumer.seek_to_beginning(*tps)
        ends = await consumer.end_offsets(list(tps))
        pending, deadline = set(tps), time.monotonic() + SILENT_S
        while pending and is_current():
            for tp in list(pending):
                if await consumer.position(tp) >= ends[tp]:
                    pending.discard(tp)
                    consumer.pause(tp)
            found = await consumer.getmany(*pending, timeout_ms=100, max_records=5000) if pending else {}
            for tp, records in found.items():
                tps[tp](records)
                count += len(records)
            if found:
                deadline = time.monotonic() + SILENT_S
            elif pending and time.monotonic() > deadline:
                names = ", ".join(f"{tp.topic}-{tp.partition}" for tp in sorted(pending))
                raise Broken(f"nothing came for {SILENT_S:.0f} s of {names}")
    finally:
        await consumer.stop()
    return LogRead(count, {SourcePartition(tp.topic, tp.partition): end for tp, end in ends.items()})


def check_beginnings(beginnings: Mapping[TopicPartition, int]) -> None:
    """See that nothing was deleted: compaction keeps a log's first offset, only deleting moves it. Raises Broken."""
    for tp, offset in sorted(beginnings.items()):
        if offset > 0:
            raise Broken(
                f"{tp.topic}-{tp.partition}: everything before offset {offset} was deleted (retention, or by hand); "
                f"{CANNOT_RECOVER}"
            )


def check_rows(changelog: SourcePartition, found: int, written: int) -> None:
    """Compare the rows that a changelog gave with how many there were at its last transaction.

    Raises Broken if some are missing: the topic was deleted and made anew, and written to since.
    """
    if found != written:
        raise Broken(
            f"{changelog.topic}-{changelog.partition} has {found} rows, and had {written} at its last transaction; "
            f"{CANNOT_RECOVER}"
        )


class LogEnd:
    """How far a changelog reaches; committed with each transaction among the offsets of the inputs.

    A transaction that moves no input (a timer fired) would not be missed otherwise if the log lost its tail.
    """

    def __init__(self, changelog: SourcePartition, end: int, committed: Committed | None) -> None:
        """Take the end that was found. Raises Broken if there was more at the last transaction."""
        if committed is not None and end < committed.offset:
            raise Broken(
                f"{changelog.topic}-{changelog.partition} ends at offset {end}, and ended at {committed.offset} at its "
                f"last transaction; {CANNOT_RECOVER} (a whole copy of it has other offsets: delete the group's offset "
                "of this topic, kafka-consumer-groups --delete-offsets)"
            )
        self._changelog, self._end = changelog, end

    def note(self, batch: Batch) -> None:
        """Put where the log ends after a transaction into it: after its records and its marker."""
        records = batch.writes.get(self._changelog)
        if records:
            self._end += len(records) + 1
            batch.offsets[self._changelog] = Committed(self._end)


POSITION_KEY = b"\x00position"
"""Key of the last changelog record of every transaction. No key of a row begins with a zero byte."""


class LogPosition(msgspec.Struct, array_like=True, gc=False):
    """That record, of an agent with one input."""

    next_offset: int
    """Where to read the input on."""
    rows: int
    """How many rows there are: fewer at recovery means that the changelog was lost and is half written anew."""


decode_position = msgspec.msgpack.Decoder(LogPosition).decode


class Recovered(NamedTuple):
    """What a changelog partition gave."""

    changelog: SourcePartition
    rows: int


def recovered_position(
    source: SourcePartition, committed: Mapping[SourcePartition, Committed], kept: LogPosition | None,
    recovered: Recovered, *, is_exact: bool,
) -> int | None:  # fmt: skip
    """Give where to read on: what the changelog says, which must be what was committed with it.

    On a broker without transactions the changelog is written first and may be ahead; it counts. Raises Broken if
    changelog and committed offset disagree, or rows are missing.
    """
    found, position = committed.get(source), None if kept is None else kept.next_offset
    if is_exact and found is not None and found.offset != position:
        raise Broken(f"{source}: committed {found.offset}, changelog says {position}")
    if is_exact and kept is not None:
        check_rows(recovered.changelog, recovered.rows, kept.rows)
    if position is None and found is not None:
        return found.offset
    return position
