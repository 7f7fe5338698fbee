"""Debezium's flattened rows, and the settings of its forms: placeholders, LOB columns, decimals as bytes."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import BadInput, Change, Decoder
from schemas.arrival_order import FIRST_ARRIVAL
from schemas.mapping import Column, Format
from tests.helpers.debezium_schema import DATE, TEXT, decimal, wrap_key
from tests.helpers.decoding import AT, decode, decoded, refusal, table
from tests.helpers.hostile_wire import dump, envelope
from tests.helpers.records import Record

MAPPING = table({"id": "text", "stage": "text", "plan": "date", "amt": "decimal"})
ROW = {"ID": "1", "STAGE": "SURVEY", "__op": "u", "__source_ts_ms": 1, "__deleted": "false"}


def flat(value: Any, **how: Any) -> Change:
    return decoded(value, decoder=Decoder(MAPPING), **how)


@pytest.mark.parametrize(
    ("marks", "op"),
    [({"__op": "c"}, "c"), ({"__op": "u"}, "u"), ({"__op": "r"}, "r"), ({"__op": "d", "__deleted": "true"}, "d"),
     ({"__deleted": "true"}, "d"), ({"__deleted": True}, "d"), ({"__deleted": "false"}, "u")],
)  # fmt: skip
def test_the_operation_of_a_flattened_row(marks: dict[str, Any], op: str) -> None:
    change = flat({"ID": "1", "STAGE": "SURVEY", **marks})
    assert (change.op, change.row, change.fields) == (op, "1", {"id": "1", "stage": "SURVEY"})


@pytest.mark.parametrize(
    ("marks", "position"),
    [
        ({"__lsn": 77}, 77),
        ({"__source_lsn": 77}, 77),
        ({"__source_commit_scn": "5", "__source_txSeq": 1}, 5),
        ({}, FIRST_ARRIVAL + AT),
    ],
)
def test_the_place_of_a_flattened_row(marks: dict[str, Any], position: int) -> None:
    assert flat({**ROW, **marks}).position == position


def test_a_flattened_row_with_its_schema() -> None:
    columns = {"id": TEXT, "plan": DATE, "amt": decimal(2), "__op": TEXT}
    row = {"id": "1", "plan": 20510, "amt": "MDk=", "__op": "u"}
    assert flat(wrap_key(row, columns)).fields == {"id": "1", "plan": 1_772_121_599_999, "amt": Decimal("123.45")}


def test_a_flattened_row_without_operation_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"add\.fields") as caught:
        decode({"ID": "1", "STAGE": "SURVEY"}, decoder=Decoder(MAPPING))
    assert caught.value.reason == "unknown-operation"


@pytest.mark.parametrize("op", ["x", "", 5, {"a": 1}])
def test_a_flattened_row_of_an_unknown_operation_is_refused(op: Any) -> None:
    assert refusal({**ROW, "__op": op}, decoder=Decoder(MAPPING)) == "unknown-operation"


def test_a_flattened_truncate_is_counted() -> None:
    decoder = Decoder(MAPPING)
    assert decode({**ROW, "__op": "t"}, decoder=decoder) is None
    assert decoder.skipped == {"truncate": 1}


def of(form: Format, **columns: Column) -> Decoder:
    mapping = table({"id": "text", "stage": "text"}, format=form)
    return Decoder(replace(mapping, columns={**mapping.columns, **columns}))


def run(decoder: Decoder, *rows: dict[str, Any]) -> list[Change]:
    """Decode as agents do, so that the usual row is learnt from the first."""
    records = [Record(n, AT, b"", dump(envelope(row))) for n, row in enumerate(rows)]
    changes, refused, _ = decoder.decode_run(records, topic="t", partition=0, high=0)
    assert refused == []
    return changes


def test_the_placeholder_of_unsent_values_is_a_setting() -> None:
    decoder = of(Format(unavailable="<unsent>"))
    changes = run(
        decoder,
        {"id": "1", "stage": "a"},
        {"id": "2", "stage": "<unsent>"},
        {"id": "3", "stage": "__debezium_unavailable_value"},
    )
    assert [c.fields.get("stage") for c in changes] == ["a", None, "__debezium_unavailable_value"]
    assert "stage" not in changes[1].fields


def test_null_in_a_lob_column_says_nothing_where_that_is_declared() -> None:
    decoder = of(Format(lob_columns=frozenset({"stage"})))
    changes = run(decoder, {"id": "1", "stage": "a"}, {"id": "2", "stage": None}, {"ID": "3", "STAGE": None})
    assert [c.fields for c in changes] == [{"id": "1", "stage": "a"}, {"id": "2"}, {"id": "3"}]


def test_decimals_as_bytes_have_the_declared_scale() -> None:
    decoder = of(Format(decimal="base64"), amt=Column("amt", "decimal", scale=2))
    rows = [{"id": "1", "stage": "a", "amt": text} for text in ("MDk=", "/w==", None)]
    assert [str(c.fields["amt"]) for c in run(decoder, *rows)] == ["123.45", "-0.01", "None"]
    assert refusal(envelope({"id": "1", "amt": "12.50"}), decoder=decoder) == "wrong-type"


def test_a_row_by_hand_is_plain_whatever_the_source_writes() -> None:
    decoder = of(Format(decimal="base64"), amt=Column("amt", "decimal", scale=2))
    change = decoded(envelope({"id": "1", "amt": "12.50"}), decoder=decoder, headers=[("stagewatch.ingest", b"file")])
    assert str(change.fields["amt"]) == "12.50"


def test_a_row_by_hand_is_read_in_the_topic_of_any_dialect() -> None:
    decoder = Decoder(table({"id": "text"}, dialect="canal-json"))
    by_hand = [("stagewatch.ingest", b"file")]
    assert decoded(envelope({"id": "1"}), decoder=decoder, headers=by_hand).row == "1"
    assert refusal(envelope({"id": "1"}), decoder=decoder) == "wrong-dialect"


def test_number_objects_carry_their_own_scale() -> None:
    mapping = table({"id": "text", "n": "int", "amt": "decimal"})
    row = {
        "id": {"scale": 0, "value": "MDk="},
        "n": {"scale": 0, "value": "MDk="},
        "amt": {"scale": 2, "value": "MDk="},
    }
    assert decoded(envelope(row), decoder=Decoder(mapping)).fields == {
        "id": "12345",
        "n": 12345,
        "amt": Decimal("123.45"),
    }
