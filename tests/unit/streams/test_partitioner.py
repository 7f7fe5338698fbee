"""Keys are found where Kafka's own clients would put them."""

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioner import Partitioner, murmur2


@given(st.binary(max_size=40))
def test_the_hash_is_that_of_kafka(data: bytes) -> None:
    assert murmur2(data) == theirs(data) & 0xFFFFFFFF


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(1, 64))
def test_a_key_keeps_its_partition_through_the_cache(key: str, count: int) -> None:
    partitioner = Partitioner(count)
    first = partitioner.of(key)
    assert partitioner.of(key) == first == (key.encode(), partitioner.of_bytes(key.encode()))
    assert 0 <= first[1] < count
