"""Changes whose source does not say where in its log they stand: they are ordered by when they arrived.

Why: Canal, Maxwell without `output_binlog_position`, GoldenGate without trail or commit number, and flattened records
without the source's place leave nothing but the topic's own order. An offset counts in one partition only: when a
topic grows, rows go on in other partitions, at lower offsets. The arrival goes on. It is the running maximum of the
partition's timestamps, so it never goes back within a partition; what arrived in one millisecond has the order of the
partition. Made from the record's own place alone: a repeat and a replay of the topic give the same again.
"""

FIRST_ARRIVAL = -(1 << 61)
"""The lowest of these positions: above all rows from outside (`schemas.ingested`). All are below zero: where a source
begins to tell its places, they come after all that had none."""
_MOST_MS = 1 << 53
_PART_BITS, _OFFSET_BITS, _PARTITION_BITS = 11, 39, 12
"""Changes of a record, records of a partition, partitions: more share the last number, and count in one millisecond as
they come."""


def arrival_place(at: int, partition: int, offset: int, part: int = 0) -> tuple[int, int]:
    """Give position and order of a change that arrived at `at` (epoch ms), as change number `part` of its record.

    Of one millisecond the higher partition counts as the later: that is where a topic grows.
    """
    number = min(partition, (1 << _PARTITION_BITS) - 1) << _OFFSET_BITS | min(offset, (1 << _OFFSET_BITS) - 1)
    return FIRST_ARRIVAL + min(max(at, 0), _MOST_MS), number << _PART_BITS | min(part, (1 << _PART_BITS) - 1)
