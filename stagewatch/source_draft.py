"""A first declaration of a table that nobody declared yet, guessed from its records. Pure: records in, YAML out.

What it writes passes `stagewatch check`, and a person reads it before it is used. Called by `stagewatch sources draft`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import Dialect, TableMapping, TimestampUnit, looks_like
from schemas.dialects.limits import PARSER_ERRORS, decode_object, documents
from schemas.row_images import RowImage, row_images
from stagewatch.cli import Failed
from stagewatch.column_guess import guess_type, guess_unit

if TYPE_CHECKING:
    from schemas import ColumnType, Recorded, SchemaOf

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]*")
"""What a declaration can name (`connectors.source_models`)."""
_PATTERN = re.compile(r"cdc\.(?P<source>[A-Za-z_]\w*)\.(?P<table>[A-Za-z_][\w$#]*)", re.ASCII)
"""Topics that need no `topic:` of their own."""
_KEY_FIELDS = ("pkNames", "primary_keys", "primary_key_columns")
"""Where Canal, GoldenGate and Maxwell name the primary key, if they do."""
_DEFAULT_UNIT: TimestampUnit = "us"


@dataclass(frozen=True, slots=True)
class Known:
    """What is declared already and may be named again."""

    joins: Mapping[str, str]
    """Column to the table whose key it holds."""
    instances: frozenset[str]
    """Columns that name a process instance."""


@dataclass(frozen=True, slots=True)
class _Guess:
    dialect: Dialect
    images: list[RowImage]
    columns: dict[str, ColumnType]
    left_out: list[str]
    key: tuple[str, ...]
    is_key_sure: bool


def draft_source(
    topic: str, records: Sequence[Recorded], known: Known, *, source: str | None = None,
    schema_of: SchemaOf | None = None,
) -> str:  # fmt: skip
    """Give the YAML of a source with this one table.

    `source`: its prefix, if not the topic's own. Raises `Failed` where the records tell no rows.
    """
    guess = _guess(topic, records, schema_of)
    match = _PATTERN.fullmatch(topic)
    parts = [re.sub(r"\W", "_", part, flags=re.ASCII) for part in topic.split(".")]
    named = (source or (match["source"] if match else parts[-2] if len(parts) > 1 else parts[0])).lower()
    table = (match["table"] if match else parts[-1]).lower()
    is_usual = topic == f"cdc.{named}.{table}"
    head = f"# Drafted from {len(records)} records of {topic}. Read it through, then: stagewatch check, sources try."
    lines = [head, *_source_lines(guess, named), *_table_lines(guess, _word(table), None if is_usual else topic, known)]
    return "\n".join(lines) + "\n"


def _word(name: str) -> str:
    return name if _NAME.fullmatch(name) else f"t_{name}"


def _guess(topic: str, records: Sequence[Recorded], schema_of: SchemaOf | None) -> _Guess:
    seen = Counter(found for record in records if (found := looks_like(record.value)) is not None)
    if not seen:
        raise Failed(
            f"the records of {topic} look like no dialect that can be told: is it a table's topic? GoldenGate's "
            "delimited text and flattened rows without an operation are declared by hand (docs/new-source.md)"
        )
    dialect = seen.most_common(1)[0][0]
    if dialect == "debezium-avro" and schema_of is None:
        raise Failed(f"the records of {topic} are Avro: name their registry, STAGEWATCH_SCHEMA_REGISTRY_URL=http://…")
    mapping = TableMapping(source="", table="", topic=topic, entity="", key=(), dialect=dialect)
    images = [image for record in records for image in row_images(mapping, record.value, schema_of)]
    if not images:
        raise Failed(f"the records of {topic} look like {dialect}, but tell no rows")
    columns, left_out = _columns(images)
    key, is_sure = _key(records, images, columns)
    return _Guess(dialect, images, columns, left_out, key, is_sure)


def _columns(images: Sequence[RowImage]) -> tuple[dict[str, ColumnType], list[str]]:
    """Give the columns with their types, and those that no declaration can name or hold."""
    values = _values(images)
    said = {name: kind for image in images for name, kind in image.types.items()}
    types = {name: guess_type(name, found, said.get(name, "")) for name, found in values.items()}
    columns = {name: kind for name, kind in types.items() if kind is not None and _NAME.fullmatch(name)}
    if not columns:
        raise Failed("no column of these records can be declared: their names or values are nested")
    return columns, sorted(values.keys() - columns.keys())


def _values(images: Sequence[RowImage]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for image in images:
        for name, value in image.row.items():
            found = values.setdefault(name.lower(), [])
            if value is not None:
                found.append(value)
    return values


def _key(
    records: Sequence[Recorded], images: Sequence[RowImage], columns: Mapping[str, ColumnType]
) -> tuple[tuple[str, ...], bool]:
    """Give the primary key, and whether a record says so and no two new rows share it."""
    for said in dict.fromkeys(key for record in records for key in _said_keys(record, columns)):
        if _is_unique(said, images):
            return said, True
    alone = next((name for name in columns if _is_unique((name,), images)), next(iter(columns)))
    return (alone,), False


def _said_keys(record: Recorded, columns: Mapping[str, ColumnType]) -> Iterator[tuple[str, ...]]:
    """Give what a record says its row is known by: in its value, or by the names in its message key."""
    value, key = _object(record.value), _object(record.key)
    payload = key.get("payload")
    names = (payload if isinstance(payload, dict) else key).keys()
    for said in (*(value.get(field) for field in _KEY_FIELDS), [name.removeprefix("pk.") for name in names]):
        if isinstance(said, list):
            found = tuple(str(name).lower() for name in said if str(name).lower() in columns)
            if found:
                yield found


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        return decode_object(next(documents(data or b""), b"null")) or {}
    except PARSER_ERRORS:
        return {}


def _is_unique(names: tuple[str, ...], images: Sequence[RowImage]) -> bool:
    """Tell whether no two rows that came new, or that a snapshot read, have the same values there, or none."""
    rows = [{name.lower(): value for name, value in image.row.items()} for image in images if image.op in {"c", "r"}]
    keys = [tuple(str(row.get(name)) for name in names) for row in rows]
    has_all = all(row.get(name) is not None for row in rows for name in names)
    return has_all and len(set(keys)) == len(keys)


def _source_lines(guess: _Guess, named: str) -> Iterator[str]:
    yield "version: source/v1"
    yield f"source: {_scalar(named)}"
    yield f"title: {_scalar(named)}  # the system's name"
    yield f"dialect: {guess.dialect}"
    if guess.dialect.startswith("ogg"):
        yield "op_ts_timezone: UTC  # the zone that the replicat writes; `sources try` compares it with the arrival"
    yield "column_timezone: Asia/Shanghai  # of times without a zone"
    unit = _unit(guess)
    if unit != _DEFAULT_UNIT:
        yield f"timestamp_unit: {unit}  # of times written as numbers"


def _unit(guess: _Guess) -> TimestampUnit:
    values = _values(guess.images)
    times = [v for name, kind in guess.columns.items() if kind == "timestamp" for v in values[name] if type(v) is int]
    return guess_unit(times) or _DEFAULT_UNIT


def _table_lines(guess: _Guess, table: str, topic: str | None, known: Known) -> Iterator[str]:
    yield "tables:"
    yield f"  {_scalar(table)}:"
    yield f"    title: {_scalar(table)}  # what it is, in the business's words"
    if topic is not None:
        yield f"    topic: {_scalar(topic)}"
    yield f"    entity: {_scalar(table)}  # what a row is about; rules call it by this name"
    unsure = "" if guess.is_key_sure else "  # guessed: no record names the primary key, so say which it is"
    yield f"    key: [{', '.join(map(_scalar, guess.key))}]{unsure}"
    yield "    is_reference: false  # read, checked and counted; true: every worker holds it for look-ups"
    for name in sorted(known.instances & guess.columns.keys()):
        yield f"    # instance: {name}  # instead of is_reference: its rows stand in the state of that instance"
    yield "    columns:"
    for name, kind in guess.columns.items():
        yield f"      {_scalar(name)}: {kind}"
    for name in guess.left_out:
        yield f"      # {_scalar(name)}: an object, a list, or a name that cannot be declared"
    joins = {name: known.joins[name] for name in guess.columns if name in known.joins and known.joins[name] != table}
    if joins:
        yield f"    joins: {{{', '.join(f'{_scalar(name)}: {_scalar(other)}' for name, other in joins.items())}}}"


def _scalar(text: str) -> str:
    """Write text so that YAML reads it as text; JSON's strings are YAML's."""
    is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.$-]*", text, re.ASCII) is not None
    is_word = text.lower() in {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return text if is_plain and not is_word else msgspec.json.encode(text).decode()
