"""The broker in memory keeps Kafka's rules, or the worlds would prove nothing."""

import pytest

from streams.logic import Committed, SourcePartition
from tests.simulation.broker import TRANSACTION_TIMEOUT_MS, Broker, Fenced, Producer

A, B = SourcePartition("a", 0), SourcePartition("b", 0)


def begun(broker: Broker, name: str = "p") -> Producer:
    producer = broker.init_producer(name)
    broker.begin(producer)
    return producer


def values(broker: Broker, tp: SourcePartition) -> list[bytes | None]:
    return [record.value for record in broker.committed(tp)]


def test_an_open_transaction_holds_back_what_lies_behind_it() -> None:
    broker = Broker()
    producer = begun(broker)
    broker.produce(producer, A, [(b"", b"1")])
    broker.append(A, b"", b"2", 0)
    assert values(broker, A) == []
    broker.end(producer)
    broker.settle()
    assert values(broker, A) == [b"1", b"2"]


def test_a_commit_reaches_each_partition_at_a_time_of_its_own() -> None:
    broker = Broker()
    producer = begun(broker)
    broker.produce(producer, A, [(b"", b"1")])
    broker.produce(producer, B, [(b"", b"2")])
    broker.add_offsets(producer, {A: Committed(7)})
    broker.end(producer)
    broker.mark(*next(marker for marker in broker.markers() if marker[1] == B))
    assert (values(broker, A), values(broker, B), broker.offsets) == ([], [b"2"], {})
    broker.settle()
    assert (values(broker, A), broker.offsets) == ([b"1"], {A: Committed(7)})


def test_the_next_owner_ends_what_the_one_before_left_open_and_fences_it() -> None:
    broker = Broker()
    before = begun(broker)
    broker.produce(before, A, [(b"", b"lost")])
    after = begun(broker)
    with pytest.raises(Fenced):
        broker.produce(before, A, [(b"", b"late")])
    with pytest.raises(Fenced):
        broker.end(before)
    broker.produce(after, A, [(b"", b"kept")])
    broker.end(after)
    broker.settle()
    assert values(broker, A) == [b"kept"]


def test_the_next_owner_sees_all_of_what_the_one_before_committed() -> None:
    broker = Broker()
    before = begun(broker)
    broker.produce(before, A, [(b"", b"1")])
    broker.add_offsets(before, {A: Committed(3)})
    broker.end(before)
    broker.init_producer("p")
    assert (values(broker, A), broker.offsets) == ([b"1"], {A: Committed(3)})


def test_a_transaction_that_lasts_too_long_is_aborted_and_its_producer_fenced() -> None:
    broker = Broker()
    producer = begun(broker)
    broker.produce(producer, A, [(b"", b"1")])
    broker.now += TRANSACTION_TIMEOUT_MS + 1
    assert broker.expire() == 1
    with pytest.raises(Fenced):
        broker.end(producer)
    broker.append(A, b"", b"2", 0)
    assert values(broker, A) == [b"2"]


def test_reading_goes_on_past_control_records() -> None:
    broker = Broker()
    producer = begun(broker)
    broker.produce(producer, A, [(b"", b"1")])
    broker.end(producer)
    broker.settle()
    records, position = broker.read(A, 0, 10)
    assert ([record.offset for record in records], position) == ([0], 2)
