"""The rows that the loop keeps in its changelog: how each kind is named, written and read."""

from collections.abc import Mapping
from typing import Any

import msgspec

from rules.loop.anomaly import Anomaly
from rules.loop.state import Case, Early, Order

ALERT, ORDER, EARLY, ANOMALY = "alert:", "order:", "early:", "anomy:"
"""Of one length: what a row's key begins with."""
_KIND = len(ALERT)
_encode = msgspec.msgpack.Encoder().encode
_DECODE = {
    ALERT: msgspec.msgpack.Decoder(Case).decode,
    ORDER: msgspec.msgpack.Decoder(Order).decode,
    EARLY: msgspec.msgpack.Decoder(Early).decode,
    ANOMALY: msgspec.msgpack.Decoder(Anomaly).decode,
}
Rows = Mapping[str, dict[str, Any]]
"""By kind, what is kept by name."""


def put_row(rows: Rows, key: str, data: bytes | None) -> None:
    """Put a row back; None: it is gone."""
    kind, name = key[:_KIND], key[_KIND:]
    if data is None:
        rows[kind].pop(name, None)
    else:
        rows[kind][name] = _DECODE[kind](data)


def row_of(rows: Rows, key: str) -> bytes | None:
    """Give a row as it is written; None: it is gone."""
    found = rows[key[:_KIND]].get(key[_KIND:])
    return None if found is None else _encode(found)
