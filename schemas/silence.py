"""Silences: what is not told for a while, on whose word and why. The records of `stagewatch.silences` (compacted).

The last record of an id counts; a silence is ended by writing it again with an earlier end. JSON on the wire, times as
ISO 8601; anybody may write one.
"""

import msgspec

from schemas.codec import epoch_ms, iso
from schemas.errors import BadInput
from schemas.notice import Notice

_SAME = ("id", "owner", "reason", "rule", "org_no", "object_no", "process", "instance", "ended_by")


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """What matches all that it names is not told from `at` to `until` (epoch ms). What it leaves out is any."""

    id: str
    owner: str
    """Number of the person who answers for it."""
    at: int
    until: int
    reason: str
    rule: str | None = None
    """A rule's code, or its beginning and `*`; so with the others."""
    org_no: str | None = None
    object_no: str | None = None
    """Number of grid equipment."""
    process: str | None = None
    instance: str | None = None
    ended_by: str = ""
    """Number of the person who ended it before its time."""

    def matches(self, notice: Notice, now: int) -> bool:
        """Tell whether it silences a notice at `now`. One that names nothing matches nothing."""
        named = (
            (self.rule, notice.rule),
            (self.org_no, notice.org_no or ""),
            (self.object_no, notice.object_no),
            (self.process, notice.process),
            (self.instance, notice.instance),
        )
        asked = [(pattern, value) for pattern, value in named if pattern is not None]
        return bool(asked) and self.at <= now < self.until and all(_fits(*pair) for pair in asked)


def _fits(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


class _WireSilence(msgspec.Struct, kw_only=True, omit_defaults=True):
    id: str
    owner: str
    at: str
    until: str
    reason: str = ""
    rule: str | None = None
    org_no: str | None = None
    object_no: str | None = None
    process: str | None = None
    instance: str | None = None
    ended_by: str = ""


_to_json = msgspec.json.Encoder().encode
_decode_wire = msgspec.json.Decoder(_WireSilence).decode


def encode_silence(silence: Silence) -> bytes:
    """Give the JSON of one record in `stagewatch.silences`; its key is the id."""
    same = {name: getattr(silence, name) for name in _SAME}
    return _to_json(_WireSilence(at=iso(silence.at), until=iso(silence.until), **same))


def decode_silence(data: bytes) -> Silence:
    """Read a record of `stagewatch.silences`. Raises BadInput."""
    try:
        wire = _decode_wire(data)
        same = {name: getattr(wire, name) for name in _SAME}
        return Silence(at=epoch_ms(wire.at), until=epoch_ms(wire.until), **same)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput("wrong-type", str(error)) from None
