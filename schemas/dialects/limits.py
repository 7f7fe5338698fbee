"""What no record may exceed, and how a parser's complaint becomes ours. Shared by all dialects."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from schemas.errors import BadInput
from schemas.record import Raw

Headers = Mapping[str, Any] | Sequence[tuple[str, Any]] | None

MAX_BYTES = 5_000_000
"""Largest value taken. A row of a thousand columns is a tenth of that; brokers refuse 1 MB by default."""
MAX_DEPTH = 64
"""Deepest nesting of objects and arrays. Debezium's own needs eight, with its embedded schema."""

REASONS = (
    "empty", "too-big", "too-deep", "not-utf8", "not-json", "not-avro", "lone-surrogate", "wrong-type",
    "wrong-columns", "wrong-dialect", "unknown-operation", "unknown-schema", "no-row-image", "missing-key",
    "unreadable-date",
)  # fmt: skip
"""Every reason that a `BadInput` from decoding can have."""

_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

decode_object = msgspec.json.Decoder(dict[str, Any] | None, float_hook=Decimal).decode
"""A JSON object (or null) as a dict, fractions as decimals."""

PARSER_ERRORS = (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError)
"""Whatever parsing and converting raise; `refusal_of` takes each of them."""


class Refused(NamedTuple):
    """A record that could not be read, and why."""

    record: Raw
    why: BadInput


class Limits(NamedTuple):
    """The size and the depth that a record may have."""

    max_bytes: int = MAX_BYTES
    max_depth: int = MAX_DEPTH

    def check_size(self, data: bytes) -> None:
        """Refuse bytes that should not reach a parser. Raises `BadInput`."""
        if len(data) > self.max_bytes:
            raise BadInput("too-big", f"{len(data)} bytes, at most {self.max_bytes}")
        if not data:
            raise BadInput("empty", "zero bytes")

    def check_text(self, data: bytes) -> None:
        """Do as `check_size` for text; cheap for what is right. Raises `BadInput` and `UnicodeDecodeError`."""
        self.check_size(data)
        if not data.isascii():
            data.decode()  # the parser skips what it does not need without looking at its encoding

    def check_json(self, data: bytes) -> None:
        """Do as `check_text`, and refuse what nests too deep."""
        self.check_text(data)
        check_depth(data, self.max_depth)


def check_depth(data: bytes, limit: int) -> None:
    """Raise `BadInput` for JSON that nests deeper than `limit`; cheap for what has few brackets at all."""
    if data.count(b"{") + data.count(b"[") > limit and _is_deeper(data, limit):
        raise BadInput("too-deep", f"more than {limit} levels")


def _is_deeper(data: bytes, limit: int) -> bool:
    """Tell whether brackets outside strings nest deeper, in time linear in the input, also where it is no JSON."""
    depth = 0
    for match in _BRACKETS.finditer(data):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
            if depth > limit:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False


def documents(data: bytes) -> Iterator[bytes]:
    """Give the JSON objects that stand one after another, with nothing but white space between them.

    What is left at the end, or is no object, is given as it stands: the parser will say what is wrong.
    """
    depth = start = 0
    for match in _BRACKETS.finditer(data):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                yield data[start : match.end()]
                start = match.end()
    if data[start:].strip():
        yield data[start:]


def decode_objects(data: bytes) -> Iterable[dict[str, Any]]:
    """Give the objects of `documents`, parsed. Raises `BadInput` and what the parser raises."""
    try:
        parts = (decode_object(data),)  # the usual record holds one
    except msgspec.DecodeError:
        parts = tuple(map(decode_object, documents(data)))
        if not parts:
            raise
    if None in parts:
        raise BadInput("wrong-type", "null instead of an object")
    return parts


def json_bytes(value: object) -> bytes | None:
    """Give parsed JSON as bytes; bytes and None as they are. Raises `BadInput` for what JSON cannot hold."""
    if value is None or isinstance(value, bytes):
        return value
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise BadInput("lone-surrogate", str(error)) from None


def refusal_of(error: Exception, data: bytes) -> BadInput:
    """Give the parser's error as ours, with its reason as a bounded word."""
    if isinstance(error, UnicodeDecodeError):
        return BadInput("not-utf8", f"byte {error.start}")
    if isinstance(error, RecursionError):
        return BadInput("too-deep", "the parser gave up")
    if not isinstance(error, msgspec.DecodeError) or isinstance(error, msgspec.ValidationError):
        return BadInput("wrong-type", str(error))
    if _SURROGATE.search(data):
        return BadInput("lone-surrogate", str(error))
    return BadInput("not-json", str(error))
