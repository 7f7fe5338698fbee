"""Decoders of the shipped tables, and a short way to decode one record."""

from functools import cache
from typing import Any

from connectors import SHIPPED_SOURCES, SourceCatalog, load_sources
from schemas import BadInput, Change, Column, Decoder, TableMapping
from tests.helpers.hostile_wire import APP, dump

AT = 1_772_413_200_000
"""2026-03-02T01:00:00Z."""


@cache
def catalog() -> SourceCatalog:
    """Give the shipped sources."""
    return load_sources([SHIPPED_SOURCES])


def mapping(topic: str = APP) -> TableMapping:
    """Give the shipped mapping of a topic."""
    found = catalog().mapping_for(topic)
    assert found is not None
    return found


def table(columns: dict[str, Any], **changes: Any) -> TableMapping:
    """Give a mapping of table `x.t` with key `id`: column to type."""
    fields: dict[str, Any] = {
        "source": "x",
        "table": "t",
        "topic": "cdc.x.t",
        "entity": "thing",
        "key": ("id",),
        "columns": {name: Column(name, kind) for name, kind in columns.items()},
    }
    return TableMapping(**(fields | changes))


def decode(  # noqa: PLR0917 - the parts of a record, in the order of interest
    value: Any, key: Any = None, topic: str = APP, decoder: Decoder | None = None, headers: Any = None, offset: int = 7
) -> Change | None:
    """Decode one record; `value` and `key` are bytes, None, or something to write as JSON."""
    raw_value = value if value is None or isinstance(value, bytes) else dump(value)
    raw_key = key if key is None or isinstance(key, bytes) else dump(key)
    decoder = decoder or Decoder(mapping(topic))
    return decoder.decode(
        key=raw_key, value=raw_value, headers=headers, timestamp=AT, topic=topic, partition=3, offset=offset
    )


def decoded(value: Any, key: Any = None, **how: Any) -> Change:
    """Decode one record that says something."""
    change = decode(value, key, **how)
    assert change is not None
    return change


def refusal(value: Any, key: Any = None, **how: Any) -> str:
    """Give the reason for which a record is refused; fails if it is not."""
    try:
        change = decode(value, key, **how)
    except BadInput as error:
        return error.reason
    raise AssertionError(f"not refused: {change}")
