"""A record as a Kafka client hands it over: what decoding and the agents ask of it, and no more."""

from collections.abc import Sequence
from typing import Protocol

from schemas.errors import BadInput

LATEST_ARRIVAL = 7_258_118_400_000
"""2200-01-01T00:00:00Z, epoch ms: what lies beyond is no time of arrival but another unit or a year 9999, and a clock
that went by it would let everything fall due, then leave the calendar."""


def too_late(timestamp: int) -> BadInput:
    """Give why a record with such a timestamp is refused."""
    return BadInput("unreadable-date", f"the record's timestamp {timestamp} is no epoch ms before the year 2200")


class Raw(Protocol):
    """A record as a Kafka client hands it over."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Epoch ms."""

    @property
    def key(self) -> bytes | None:
        """The key's bytes."""

    @property
    def value(self) -> bytes | None:
        """The value's bytes; None is a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values, in order; names may repeat."""
