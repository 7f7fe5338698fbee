"""The body of a pushed request: read into rows, and checked, within bounds that hold whatever it is.

Takes seconds for the longest body, so it runs beside the event loop.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from connectors.web.rows import Shape

MOST_FAULTS = 100
"""Faults, or ignored fields, that an answer names. Nobody looks for more: a wrong body is wrong all over."""
MOST_VALUES = 1_000_000
"""Of one body. A value takes up to 200 bytes of memory; a row has twenty, so 50 000 rows can come at once."""

_parse = msgspec.json.Decoder(Any, float_hook=Decimal).decode


class Refusal(Exception):
    """A request that is not taken: HTTP status, what is wrong, and headers."""

    def __init__(self, status: int, error: str, *, retry_s: float | None = None, **more: object) -> None:
        super().__init__(error)
        self.status, self.retry_s = status, retry_s
        self.body = {"error": error, **more}

    def response(self) -> web.Response:
        """Give it as JSON."""
        headers = {} if self.retry_s is None else {"Retry-After": str(max(1, round(self.retry_s)))}
        if self.status == web.HTTPUnauthorized.status_code:
            headers["WWW-Authenticate"] = "Bearer"
        return web.json_response(self.body, status=self.status, headers=headers)


class Checked(NamedTuple):
    """What a request brings, without faults."""

    rows: list[Any]
    ignored: list[str]
    """Fields that the table lacks, the first of them."""
    digest: str
    """Of the body."""
    now_ms: int
    """When it came."""


def rows_of(body: bytes) -> list[Any]:
    """Give the rows of a body: an object is one row, an array are several. Raises Refusal."""
    # Each value but the first of its kind has a comma before it, or opens something. Text may hold these signs, too;
    # that only makes the bound a little narrower.
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MOST_VALUES:
        raise Refusal(413, f"more than {MOST_VALUES} values; send fewer rows at once")
    try:
        parsed = _parse(body)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise Refusal(400, f"not JSON: {error}") from None
    rows = parsed if isinstance(parsed, list) else [parsed]
    if not rows:
        raise Refusal(400, "no rows")
    if found := list(_twice(body)):
        raise _wrong(found)
    return rows


class _Twice(str):
    """A name that an object has twice."""

    __slots__ = ()


def _first_twice(pairs: list[tuple[str, object]]) -> _Twice | None:
    seen = dict(pairs)
    if len(seen) == len(pairs):
        return None
    count = Counter(name for name, _ in pairs)
    return _Twice(count.most_common(1)[0][0])


def _twice(body: bytes) -> Iterator[dict[str, object]]:
    """Give the rows that say a name twice: the parser keeps the last, and nobody knows which is right."""
    try:
        told = json.loads(body, object_pairs_hook=_first_twice, parse_int=len, parse_float=len)
    except RecursionError:
        raise Refusal(400, "not JSON: nested too deep") from None
    for number, name in enumerate(told if isinstance(told, list) else [told]):
        if isinstance(name, _Twice):
            yield {"row": number, "field": str(name), "error": "stands twice in the row"}


def _wrong(found: list[dict[str, object]]) -> Refusal:
    if len(found) > MOST_FAULTS:
        error = f"more than {MOST_FAULTS} fields are wrong; nothing was taken"
        return Refusal(400, error, faults=found[:MOST_FAULTS])
    return Refusal(400, f"{len(found)} fields are wrong; nothing was taken", faults=found)


def checked(shape: Shape, rows: list[Any], body: bytes, now_ms: int) -> Checked:
    """Give rows that can be taken. Raises Refusal with the first faults."""
    found: list[dict[str, object]] = []
    for number, row in enumerate(rows):
        found += ({"row": number, "field": fault.field, "error": fault.what}
                  for fault in shape.faults(row, now_ms=now_ms))  # fmt: skip
        if len(found) > MOST_FAULTS:
            break
    if found:
        raise _wrong(found)
    ignored = sorted({name for row in rows for name in shape.unknown(row)})
    return Checked(rows, ignored[:MOST_FAULTS], hashlib.sha256(body).hexdigest(), now_ms)
