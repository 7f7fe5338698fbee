"""Debezium's Avro: framing, schemas by id, Connect's types, and what is not the record's fault."""

from decimal import Decimal
from typing import Any

import pytest

from schemas import BadInput, Change, Decoder, TryLater
from tests.helpers.avro_wire import SchemaShelf, envelope_schema, row_schema
from tests.helpers.decoding import AT, table

COLUMNS = {"id": "int", "stage": "text", "amt": "decimal", "at": "micros"}
MAPPING = table({"id": "int", "stage": "text", "amt": "decimal", "at": "timestamp"}, dialect="debezium-avro")
ROW = {"id": 1, "stage": "SURVEY", "amt": b"\x30\x39", "at": 1_772_442_000_000_000}


def decode(value: bytes | None, decoder: Decoder, *, key: bytes | None = None, headers: Any = None) -> list[Change]:
    return decoder.decode_all(
        key=key, value=value, headers=headers, timestamp=AT, topic="cdc.x.t", partition=0, offset=7
    )


def event(
    shelf: SchemaShelf, after: Any, *, op: str = "c", columns: dict[str, str] | None = None, before: Any = None
) -> bytes:
    record = {"before": before, "after": after, "source": {"version": "3.2", "lsn": 77}, "op": op, "ts_ms": 1}
    return shelf.write(envelope_schema(columns or COLUMNS), record)


def refusal(value: bytes, shelf: SchemaShelf, key: bytes | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        decode(value, Decoder(MAPPING, schema_of=shelf.schema_of), key=key)
    return caught.value.reason


def test_connects_types_are_read_by_their_names() -> None:
    shelf = SchemaShelf()
    (change,) = decode(event(shelf, ROW), Decoder(MAPPING, schema_of=shelf.schema_of))
    assert change.fields == {"id": 1, "stage": "SURVEY", "amt": Decimal("123.45"), "at": AT}
    assert (change.position, str(change.fields["amt"])) == (77, "123.45")


@pytest.mark.parametrize(
    ("kind", "raw"),
    [("micros", 1_772_442_000_000_000), ("millis", 1_772_442_000_000), ("zoned", "2026-03-02T01:00:00Z")],
)
def test_times_of_every_unit(kind: str, raw: object) -> None:
    shelf = SchemaShelf()
    value = event(shelf, {"id": 1, "at": raw}, columns={"id": "int", "at": kind})
    (change,) = decode(value, Decoder(MAPPING, schema_of=shelf.schema_of))
    assert change.fields["at"] == AT


@pytest.mark.parametrize(("column", "row", "amount"), [("amt", "1", "123.45"), ("id", "12345", None)])
def test_oracles_number_without_a_scale(column: str, row: str, amount: str | None) -> None:
    shelf = SchemaShelf()
    number = {"scale": 0 if column == "id" else 2, "value": b"\x30\x39"}
    columns = {"id": "int", "amt": "decimal", column: "variable"}
    value = event(shelf, {"id": 1, "amt": None, column: number}, columns=columns)
    (change,) = decode(value, Decoder(MAPPING, schema_of=shelf.schema_of))
    assert (change.row, change.fields["amt"]) == (row, None if amount is None else Decimal(amount))


def test_a_schema_is_asked_for_once() -> None:
    shelf, asked = SchemaShelf(), list[int]()

    def schema_of(number: int) -> str:
        asked.append(number)
        return shelf.schema_of(number)

    decoder = Decoder(MAPPING, schema_of=schema_of)
    values = [event(shelf, ROW), event(shelf, {"id": 2}, columns={"id": "int"})]
    for value in values * 3:
        decode(value, decoder)
    assert asked == [1, 2]


def test_a_registry_that_does_not_answer_is_not_the_records_fault() -> None:
    shelf, is_up = SchemaShelf(), [False]

    def schema_of(number: int) -> str:
        if not is_up[0]:
            raise TryLater("the schema registry does not answer")
        return shelf.schema_of(number)

    decoder, value = Decoder(MAPPING, schema_of=schema_of), event(shelf, ROW)
    with pytest.raises(TryLater):
        decode(value, decoder)
    is_up[0] = True
    assert decode(value, decoder)[0].row == "1"


@pytest.mark.parametrize("op", ["u", "d"])
def test_updates_and_deletes_tell_the_row_before(op: str) -> None:
    shelf = SchemaShelf()
    value = event(shelf, {**ROW, "stage": "SCHEME"} if op == "u" else None, op=op, before=ROW)
    (change,) = decode(value, Decoder(MAPPING, schema_of=shelf.schema_of))
    assert (change.op, change.row, change.fields["stage"]) == (op, "1", "SCHEME" if op == "u" else "SURVEY")


def test_a_value_that_the_source_did_not_send_is_missing() -> None:
    shelf = SchemaShelf()
    (change,) = decode(
        event(shelf, {**ROW, "stage": "__debezium_unavailable_value"}), Decoder(MAPPING, schema_of=shelf.schema_of)
    )
    assert "stage" not in change.fields


def test_a_delete_without_image_takes_its_row_from_the_key() -> None:
    shelf = SchemaShelf()
    key = shelf.write(row_schema({"id": "int"}, "Key"), {"id": 7})
    (change,) = decode(event(shelf, None, op="d"), Decoder(MAPPING, schema_of=shelf.schema_of), key=key)
    assert (change.op, change.row) == ("d", "7")


def test_half_of_a_moved_row_is_counted() -> None:
    shelf = SchemaShelf()
    decoder = Decoder(MAPPING, schema_of=shelf.schema_of)
    decode(event(shelf, None, op="d", before=ROW), decoder, headers=[("__debezium.newkey", b"")])
    assert decoder.moved == 1


def test_flattened_rows() -> None:
    shelf = SchemaShelf()
    schema = row_schema({**COLUMNS, "__op": "text", "__deleted": "text", "__lsn": "int"})
    decoder = Decoder(MAPPING, schema_of=shelf.schema_of)
    (change,) = decode(shelf.write(schema, {**ROW, "__op": "u", "__deleted": "false", "__lsn": 9}), decoder)
    assert (change.op, change.position, change.fields["amt"]) == ("u", 9, Decimal("123.45"))
    (change,) = decode(shelf.write(schema, {**ROW, "__op": "d", "__deleted": "true", "__lsn": 10}), decoder)
    assert change.op == "d"


@pytest.mark.parametrize(
    ("names", "reason"), [({"ts_ms": "int"}, "heartbeat"), ({"status": "text", "id": "text"}, "transaction")]
)
def test_what_stands_beside_rows_is_counted(names: dict[str, str], reason: str) -> None:
    shelf = SchemaShelf()
    decoder = Decoder(table({"no": "text"}, key=("no",), dialect="debezium-avro"), schema_of=shelf.schema_of)
    assert decode(shelf.write(row_schema(names, "Beside"), dict.fromkeys(names)), decoder) == []
    assert decoder.skipped == {reason: 1}


def test_an_envelope_without_operation_is_refused() -> None:
    shelf = SchemaShelf()
    schema = envelope_schema(COLUMNS)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "op"]
    record = {"before": None, "after": ROW, "source": {"version": "3"}, "ts_ms": 1}
    assert refusal(shelf.write(schema, record), shelf) == "unknown-operation"
    assert refusal(event(shelf, ROW, op="t"), shelf) == "unknown-operation"


def test_what_is_no_record_of_its_schema_is_refused() -> None:
    shelf = SchemaShelf()
    good = event(shelf, ROW)
    assert refusal(good[:-3], shelf) == "not-avro"
    assert refusal(good + b"\0", shelf) == "not-avro"
    assert refusal(good[:5] + b"\xff" * 40, shelf) == "not-avro"
    assert refusal(b"\0\0\0\0\x63" + good[5:], shelf) == "unknown-schema"
    assert refusal(good[:4], shelf) == "not-avro"
    assert refusal(b"", shelf) == "empty"
    assert refusal(event(shelf, None, op="u"), shelf) == "no-row-image"
    assert refusal(event(shelf, ROW, op="x"), shelf) == "unknown-operation"
    assert refusal(b'{"op":"c","after":{"id":1},"source":{}}', shelf) == "wrong-dialect"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '"nothing"',
        "[]",
        '{"type":"record"}',
        '{"type":"record","name":"R","fields":[{"name":5,"type":"long"}]}',
        "5",
        '{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"nosuch"}}]}',
    ],
)
def test_what_is_no_schema_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(BadInput, match=r"unknown-schema|not-avro"):
        decode(b"\0\0\0\0\x01\x02", Decoder(MAPPING, schema_of=lambda _number: text))


def test_a_schema_without_records_is_refused() -> None:
    with pytest.raises(BadInput, match="wrong-type"):
        decode(b"\0\0\0\0\x01\x02", Decoder(MAPPING, schema_of=lambda _number: '"long"'))


def test_an_endless_schema_is_refused() -> None:
    deep = '{"type":"array","items":' * 100 + '"string"' + "}" * 100
    with pytest.raises(BadInput, match="unknown-schema"):
        decode(b"\0\0\0\0\x01\x02", Decoder(MAPPING, schema_of=lambda _number: deep))
