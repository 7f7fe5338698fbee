"""Dead letters: what could not be understood, with reason, place and the raw bytes (base64)."""

import base64

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Value of `stagewatch.deadletters` as JSON."""

    version: int = 1
    reason: str
    """A bounded word: `not-json`, `not-utf8`, `empty`, `wrong-type`, ..."""
    error: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key_b64: str | None
    value_b64: str | None

    @classmethod
    def of(  # noqa: PLR0913 - a record's parts
        cls, reason: str, error: str, *, topic: str, partition: int, offset: int, timestamp: int,
        key: bytes | None, value: bytes | None,
    ) -> "DeadLetter":  # fmt: skip
        """Make one from a record's parts; `key` and `value` are the raw bytes."""
        return cls(
            reason=reason, error=error, topic=topic, partition=partition, offset=offset, timestamp=timestamp,
            key_b64=None if key is None else base64.b64encode(key).decode(),
            value_b64=None if value is None else base64.b64encode(value).decode(),
        )  # fmt: skip
