"""A record as a Kafka client hands it over (`schemas.Raw`), for tests that need no broker."""

from typing import NamedTuple


class Record(NamedTuple):
    """What decoding and the agents ask of a record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
