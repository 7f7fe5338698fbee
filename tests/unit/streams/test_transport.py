"""Batches are cut by count and bytes."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.transport import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, split


@dataclass
class Record:
    value: bytes | None


VALUES = {size: bytes(size) for size in (1, 10, 400_000, 2_000_000)} | {-1: None}


def size_of(record: Record) -> int:
    return len(record.value or b"")


@given(st.lists(st.sampled_from([-1, 10, 400_000, 2_000_000]), max_size=60))
def test_splitting_keeps_every_record_in_order_and_the_bounds(sizes: list[int]) -> None:
    run = [Record(VALUES[size]) for size in sizes]
    parts = list(split(run))
    assert [record for part in parts for record in part] == run
    for part in parts:
        assert part
        assert len(part) == 1 or sum(map(size_of, part)) <= MAX_BATCH_BYTES


def test_many_small_records_are_cut_by_count() -> None:
    parts = list(split([Record(VALUES[1])] * (2 * MAX_BATCH_RECORDS + 1)))
    assert [len(part) for part in parts] == [MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 1]
