"""A record's own time: where each dialect tells it, and that nothing else is taken for it."""

import json
from typing import Any

import pytest

from schemas import Decoder, Origin, SourceClock
from schemas.ingested import encode_ingested
from schemas.mapping import Dialect, Format
from tests.helpers.decoding import table

AT = 1_772_413_200_000
"""2026-03-02T01:00:00Z."""
ROW = {"id": "1"}
OGG = {"op_type": "I", "op_ts": "2026-03-02 01:00:00.000000", "pos": "00000000010000000001"}
TELLING: list[tuple[Dialect, Any]] = [
    ("debezium-json", {"op": "c", "after": ROW, "source": {"ts_ms": AT}, "ts_ms": AT + 9}),
    ("debezium-json", {"schema": {}, "payload": {"op": "c", "after": ROW, "source": {"ts_ms": AT}}}),
    ("debezium-json", {**ROW, "__op": "c", "__source_ts_ms": AT}),
    ("debezium-json", {**ROW, "__op": "c", "__source_ts_ms": str(AT)}),
    ("canal-json", {"type": "INSERT", "data": [ROW], "es": AT}),
    ("maxwell-json", {"type": "insert", "data": ROW, "ts": AT // 1000}),
    ("ogg-json", {**OGG, "after": ROW}),
    ("ogg-json-row", {**OGG, **ROW}),
]


def clock(dialect: Dialect, **more: Any) -> SourceClock:
    return SourceClock(table({"id": "text"}, dialect=dialect, **more))


@pytest.mark.parametrize(("dialect", "record"), TELLING)
def test_every_dialect_tells_when_the_source_wrote_the_change(dialect: Dialect, record: dict[str, Any]) -> None:
    assert clock(dialect).time_of(json.dumps(record).encode()) == AT


def test_a_transaction_of_several_documents_has_the_time_of_its_first() -> None:
    first, second = ({**OGG, "after": ROW}, {**OGG, "op_ts": "2026-03-03 01:00:00", "after": ROW})
    assert clock("ogg-json").time_of((json.dumps(first) + json.dumps(second)).encode()) == AT


def test_delimited_text_tells_its_time_in_its_head() -> None:
    form = Format(head=("op_type", "op_ts"), columns=("id",), delimiter="|")
    of = table({"id": "text"}, dialect="ogg-delimited", format=form)
    line = b"I|2026-03-02 01:00:00.000000|1"
    (change,) = Decoder(of).decode_all(key=None, value=line, timestamp=AT, topic=of.topic, partition=0, offset=0)
    assert (change.row, SourceClock(of).time_of(line)) == ("1", AT)


@pytest.mark.parametrize("dialect", ["debezium-json", "ogg-json", "canal-json"])
def test_a_row_from_outside_was_true_at_its_own_time_in_every_topic(dialect: Dialect) -> None:
    origin = Origin(connector="stagewatch-file", src="manual", src_ts=AT)
    assert clock(dialect).time_of(encode_ingested("u", ROW, origin)) == AT


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("debezium-json", b"{"), ("debezium-json", b""), ("debezium-json", b"[1]"), ("debezium-json", b"\xff\xfe"),
        ("debezium-json", b'{"op":"c","after":{"ts_ms":5},"ts_ms":7}'),
        ("debezium-json", b'{"op":"c","source":{"ts_ms":0}}'), ("debezium-json", b'{"op":"c","source":{"ts_ms":true}}'),
        ("debezium-json", b'{"a":' * 400 + b"1" + b"}" * 400), ("ogg-json", b'{"op_type":"I","op_ts":"gestern"}'),
        ("debezium-avro", b"\x00\x00\x00\x00\x01\x02"), ("ogg-delimited", b"I"), ("maxwell-json", b'{"ts":"x"}'),
    ],
)  # fmt: skip
def test_what_tells_no_time_has_none(dialect: Dialect, value: bytes) -> None:
    assert clock(dialect).time_of(value) is None
