"""Notices that wait to leave, gathered into what becomes one message each. Pure; used by the outbox only.

A bucket may leave from the time of its first notice plus the wait; a later notice joins it and does
not postpone it. Channels wait apart, so that a hanging gateway holds nobody else's messages.
"""

import heapq

import msgspec

BucketId = tuple[str, ...]


class _Bucket(msgspec.Struct):
    at: int
    keys: list[str]


class Buckets:
    """The waiting notices of one channel."""

    def __init__(self) -> None:
        self._buckets: dict[BucketId, _Bucket] = {}
        self._heap: list[tuple[int, BucketId]] = []

    def __len__(self) -> int:
        """The number of buckets that wait."""
        return len(self._buckets)

    def put(self, bucket_id: BucketId, key: str, at: int) -> None:
        """Add a key to its bucket; the bucket may leave at the earliest `at` it was given (epoch ms)."""
        bucket = self._buckets.get(bucket_id)
        if bucket is None:
            self._buckets[bucket_id] = _Bucket(at, [key])
        else:
            bucket.keys.append(key)
            if at >= bucket.at:
                return
            bucket.at = at
        heapq.heappush(self._heap, (at, bucket_id))

    def next_at(self) -> int | None:
        """When the next bucket may leave; None: nothing waits."""
        while self._heap:
            at, bucket_id = self._heap[0]
            bucket = self._buckets.get(bucket_id)
            if bucket is not None and bucket.at == at:
                return at
            heapq.heappop(self._heap)  # it left, or was brought forward
        return None

    def pop(self, now: int, max_keys: int) -> list[str] | None:
        """Take out at most `max_keys` keys of the earliest bucket whose time has come; None: none has."""
        at = self.next_at()
        if at is None or at > now:
            return None
        bucket_id = self._heap[0][1]
        bucket = self._buckets[bucket_id]
        keys, bucket.keys = bucket.keys[:max_keys], bucket.keys[max_keys:]
        if not bucket.keys:
            del self._buckets[bucket_id]
            heapq.heappop(self._heap)
        return keys
