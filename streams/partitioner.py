"""Which partition a key belongs to: Kafka's default partitioner, so that anybody can find a record by its key."""

from struct import unpack_from

import msgspec

from schemas import Change

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_CACHE_SIZE = 50_000
"""Keys repeat; the hash in Python costs ten times the look-up. Cleared when full: about 12 MB."""


def murmur2(data: bytes) -> int:
    """Kafka's MurmurHash2 (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned number."""
    length = len(data)
    h = _SEED ^ length
    for k in unpack_from(f"<{length >> 2}I", data):
        k = (k * _M) & _MASK  # noqa: PLW2901 - as in the original
        k ^= k >> 24  # noqa: PLW2901
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    rest = length & 3
    if rest:
        h ^= int.from_bytes(data[length - rest :], "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


class Partitioner:
    """Key to partition number of one topic."""

    def __init__(self, count: int, form: bytes = b"%b") -> None:
        """Take the number of partitions, and how a key stands in the messages whose order of partitions is followed."""
        self.count = count
        self._form = form
        self._cache: dict[str, tuple[bytes, int]] = {}

    def of(self, key: str) -> tuple[bytes, int]:
        """Give the key's bytes and its partition."""
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            data = key.encode()
            found = self._cache[key] = (data, (murmur2(self._form % data) & 0x7FFFFFFF) % self.count)
        return found

    def of_bytes(self, key: bytes) -> int:
        """Give the partition of a key that will hardly come again."""
        return (murmur2(key) & 0x7FFFFFFF) % self.count


def spread(change: Change, partitioner: Partitioner) -> list[tuple[int, Change]]:
    """Give which partitions have to know a change, and what of it.

    The message key brings a record to the partition of its instance. It does not where it is null, nor the
    instance that a row left, nor a delete that names none. A row that belongs to no instance (any more) is nobody's.
    """
    if not change.instance and change.op != "d":
        return [(partitioner.of(change.left)[1], change.leaving())] if change.left else []
    if not change.instance:
        return [(number, change) for number in range(partitioner.count)]
    target = partitioner.of(change.instance)[1]
    left_target = partitioner.of(change.left)[1] if change.left else target
    if left_target == target:
        return [(target, change)]
    return [(target, msgspec.structs.replace(change, left="")), (left_target, change.leaving())]
