import json
from itertools import islice

import pytest
from kafka.partitioner.default import murmur2

from bench.peer_records import INSTANCES, LIMIT_MS, PARTITIONS, app_no, changes, instances, pace, share

SOME = 60_000
"""Enough that most instances of a partition are known by the end."""


def test_every_instance_is_in_the_partition_where_a_java_producer_puts_it() -> None:
    placed = {number: partition for partition in range(PARTITIONS) for number in instances(partition)}
    assert len(placed) == INSTANCES
    some = range(0, INSTANCES, 997)
    assert {n: placed[n] for n in some} == {n: (murmur2(app_no(n)) & 0x7FFFFFFF) % PARTITIONS for n in some}


@pytest.mark.parametrize("events", [0, 1, 999, 1_000_000])
def test_the_shares_of_the_partitions_add_up(events: int) -> None:
    assert sum(share(events, partition) for partition in range(PARTITIONS)) == events


def test_a_longer_beginning_holds_the_shorter_one() -> None:
    for partition in range(PARTITIONS):
        shares = [share(events, partition) for events in range(0, 10_000, 7)]
        assert shares == sorted(shares)


def test_a_stream_is_the_same_again() -> None:
    assert list(islice(changes(1), 500)) == list(islice(changes(1), 500))


def test_records_are_as_large_as_those_the_goals_were_set_by() -> None:
    count = share(1_000_000, 0)
    assert sum(len(change.value) for change in islice(changes(0), count)) / count == pytest.approx(788, abs=1)


def test_late_is_who_took_longer_than_the_limit_since_its_last_change() -> None:
    known: dict[str, int] = {}
    late = 0
    for change in islice(changes(2), SOME):
        after = json.loads(change.value)["after"]
        assert change.key.decode() == after["app_no"]
        before = known.get(after["app_no"])
        assert change.is_late == (before is not None and after["started_at"] - before > LIMIT_MS)
        known[after["app_no"]] = after["started_at"]
        late += change.is_late
    assert late


def test_this_machine_has_a_pace() -> None:
    assert pace(sample=200) > 0
