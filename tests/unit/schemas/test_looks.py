"""The guard: a record of another dialect than declared is refused by its name; and what onboarding is told."""

from typing import Any

import pytest

from schemas import BadInput, Decoder, advice_on, looks_like
from schemas.mapping import Format
from tests.helpers.decoding import AT, table
from tests.helpers.dialect_wire import ROW, WRITERS, Writer
from tests.helpers.hostile_wire import app, dump, envelope

BY_DIALECT = {writer.mapping.dialect: writer for writer in reversed(WRITERS)}
READABLE = {name: writer for name, writer in BY_DIALECT.items() if name != "ogg-delimited"}
"""Delimited text looks like nothing."""


def value_of(writer: Writer) -> bytes:
    (_, value), *_ = writer.records("u", {**ROW, "stage": "SCHEME"}, ROW)
    assert value is not None
    return value


@pytest.mark.parametrize("writer", WRITERS, ids=str)
def test_every_dialect_is_recognised(writer: Writer) -> None:
    expected = None if writer.mapping.dialect == "ogg-delimited" else writer.mapping.dialect
    assert looks_like(value_of(writer)) == expected


@pytest.mark.parametrize("written", READABLE)
@pytest.mark.parametrize("declared", BY_DIALECT)
def test_a_record_of_another_dialect_is_refused_by_its_name(declared: Any, written: Any) -> None:
    if declared == written:
        return
    decoder = BY_DIALECT[declared].decoder()
    with pytest.raises(BadInput, match=f"wrong-dialect: declared {declared}, looks like {written}"):
        decoder.decode_all(
            key=b"1", value=value_of(BY_DIALECT[written]), timestamp=AT, topic="t", partition=0, offset=1
        )


@pytest.mark.parametrize(
    "value", [None, b"", b"x", b"\0\0\0\0\0\1", b"\0", b"{", b"[]", b"{}", b'{"a":1}', b'"op"', b"[" * 999, dump(app())]
)
def test_what_looks_like_nothing(value: bytes | None) -> None:
    assert looks_like(value) is None


def test_confluents_oracle_connector_has_goldengates_names_and_is_none() -> None:
    record = dump({"table": "X.T", "op_type": "U", "op_ts": "1772413200000", "scn": "7", "row_id": "AAA", "ID": 1})
    decoder = Decoder(table({"id": "text"}, dialect="ogg-json"))
    with pytest.raises(BadInput, match=r"wrong-dialect.*Confluent"):
        decoder.decode_all(key=None, value=record, timestamp=AT, topic="t", partition=0, offset=1)


def advice(dialect: Any, value: Any, key: bytes | None = b"1", **form: Any) -> list[str]:
    mapping = table({"id": "text", "pos": "text"}, dialect=dialect, format=Format(**form))
    return advice_on(mapping, key=key, value=value if isinstance(value, bytes) else dump(value))


OGG = {"table": "X.T", "op_type": "U", "op_ts": "2026-03-02 01:00:00", "pos": "00000000030000000500"}


@pytest.mark.parametrize(
    ("dialect", "value", "word"),
    [
        ("debezium-json", {"ID": 1}, "add.fields=op"),
        ("debezium-json", {"ID": 1, "__op": "u"}, "source.ts_ms"),
        ("debezium-json", {"ID": 1, "__op": "u", "__source_ts_ms": 1}, "rewrite"),
        ("debezium-json", {**OGG, "after": {"ID": 1}}, "look like ogg-json"),
        ("ogg-json", {"op_type": "U", "after": {"ID": 1}}, "metaColumnsTemplate"),
        ("ogg-json", dump({**OGG, "after": {"ID": 1}}) * 2, "mode=op"),
        ("ogg-json-row", {**OGG, "ID": 1}, "hidden"),
        ("canal-json", {"type": "INSERT", "data": [{"id": 1}]}, "es"),
        (
            "maxwell-json",
            {"database": "x", "table": "t", "type": "insert", "data": {"id": 1}},
            "output_binlog_position",
        ),
    ],
)
def test_onboarding_is_told_what_to_change(dialect: Any, value: Any, word: str) -> None:
    assert any(word in sentence for sentence in advice(dialect, value))


def test_a_key_that_says_nothing_is_advised_against() -> None:
    assert any("primaryKeys" in sentence for sentence in advice("ogg-json", {**OGG, "after": {"ID": 1}}, key=None))


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("debezium-json", envelope({"id": 1})),
        ("debezium-json", {"ID": 1, "__op": "u", "__source_ts_ms": 1, "__deleted": "false"}),
        ("debezium-json", {"ts_ms": 1}),
        ("ogg-json", {**OGG, "after": {"ID": 1}}),
        ("maxwell-json", {"database": "x", "table": "t", "type": "insert", "data": {"id": 1}, "position": "b.1:4"}),
    ],
)
def test_what_is_as_it_should_be_needs_no_advice(dialect: Any, value: Any) -> None:
    assert advice(dialect, value) == []


@pytest.mark.parametrize("value", [b"", b"x", b"{", b"\xff", b"[1]", b"\0\0\0\0\x07x"])
def test_advice_never_fails(value: bytes) -> None:
    for writer in WRITERS:
        advice_on(writer.mapping, key=None, value=value)
