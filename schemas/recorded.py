"""Recorded input: one line of the replay format (contract, section 6) as the record that Kafka would give.

Called by `replay` and by tests. Key and value stay the raw JSON of the line, so that a decoder sees what it would
have seen in Kafka: every digit of a fraction, every odd escape.
"""

import base64
import json
import re
from typing import Any

import msgspec

from schemas.errors import BadInput


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One recorded record. `key` and `value` are bytes as in Kafka, or None."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Arrival, epoch ms."""
    key: bytes | None
    value: bytes | None
    headers: dict[str, Any]


class _Line(msgspec.Struct, gc=False):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: msgspec.Raw = msgspec.Raw()
    value: msgspec.Raw = msgspec.Raw()
    value_b64: str | None = None
    key_b64: str | None = None
    headers: Any = None


_parse = msgspec.json.Decoder(_Line).decode

_HEAD = re.compile(
    rb'\s*\{\s*"topic"\s*:\s*"([^"\\]{1,249})"\s*,\s*"partition"\s*:\s*(\d{1,9})\s*,\s*"offset"\s*:\s*(\d{1,18})'
    rb'\s*,\s*"timestamp"\s*:\s*(\d{1,15})\s*,'
)
_VALUE = re.compile(rb'"value"\s*:')


def parse_recorded(line: bytes) -> Recorded:
    """Give the record of one line. Raises `BadInput` if the line does not even tell its place.

    A line whose key or value is no proper JSON (a lone surrogate, `NaN`, a hundred thousand brackets) still
    gives a record, whose value the decoder will refuse with the right reason.
    """
    try:
        parsed = _parse(line)
        value = _raw(parsed.value)
        if parsed.value_b64 is not None:
            value = base64.b64decode(parsed.value_b64, validate=True)
        key = _raw(parsed.key) if parsed.key_b64 is None else base64.b64decode(parsed.key_b64, validate=True)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        record = _by_json(line) or _by_head(line)
        if record is None:
            raise BadInput("not-json", f"a line of recorded input: {error}") from None
        return record
    return Recorded(
        parsed.topic, parsed.partition, parsed.offset, parsed.timestamp, key, value, _headers(parsed.headers)
    )


def _headers(headers: object) -> dict[str, Any]:
    """Give headers by name, whether recorded as an object or as a list of pairs."""
    if isinstance(headers, dict):
        return headers
    try:
        return {str(name): value for name, value in headers} if isinstance(headers, list) else {}
    except (TypeError, ValueError):  # no pairs
        return {}


def _raw(part: msgspec.Raw) -> bytes | None:
    data = bytes(part)
    return None if data in (b"", b"null") else data


def _by_json(line: bytes) -> Recorded | None:
    """Take the line apart with Python's own parser, which lets lone surrogates and NaN pass, and write them again."""
    try:
        parts = json.loads(line)
        if not isinstance(parts, dict) or "value_b64" in parts or "key_b64" in parts:
            return None
        key, value = (None if parts.get(k) is None else json.dumps(parts[k]).encode() for k in ("key", "value"))
        place = [parts["topic"], parts["partition"], parts["offset"], parts["timestamp"]]
        if [type(part) for part in place] != [str, int, int, int]:
            return None
        return Recorded(parts["topic"], parts["partition"], parts["offset"], parts["timestamp"], key, value, {})
    except (ValueError, KeyError, RecursionError):
        return None


def _by_head(line: bytes) -> Recorded | None:
    """Take the place from the line's head and what stands after `"value":` as it is."""
    head, value = _HEAD.match(line), _VALUE.search(line)
    if head is None:
        return None
    topic, *numbers = head.groups()
    partition, offset, timestamp = map(int, numbers)
    rest = line[value.end() :].strip().removesuffix(b"}") if value else b"?"
    try:
        return Recorded(topic.decode(), partition, offset, timestamp, None, rest.strip() or b"?", {})
    except UnicodeDecodeError:
        return None
