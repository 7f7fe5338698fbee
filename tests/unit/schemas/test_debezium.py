"""Positions of changes in their sources, and Connect's binary decimals."""

from decimal import Decimal
from typing import Any

import pytest

from schemas import Decoder
from schemas.arrival_order import arrival_place
from schemas.ingested import BY_LOG
from tests.helpers.debezium_schema import LONG, TEXT, VARIABLE_DECIMAL, decimal, wrap, wrap_key
from tests.helpers.decoding import AT, decoded, refusal, table
from tests.helpers.hostile_wire import app, envelope

ARRIVAL = arrival_place(AT, partition=3, offset=7)[0]


def standing(source: Any, op: str = "u") -> tuple[int, int]:
    change = decoded({**envelope(app(), op=op), "source": source}, offset=7)
    return change.position, change.order


def position(source: Any, op: str = "u") -> int:
    return standing(source, op)[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"lsn": 27133776}, 27133776),
        ({"lsn": "27133776"}, 27133776),
        ({"lsn": 0}, 0),
        ({"lsn": None}, ARRIVAL),
        ({}, ARRIVAL),
        (None, ARRIVAL),
        ({"lsn": 2**63}, ARRIVAL),
        ({"lsn": -1}, ARRIVAL),
        ({"lsn": 1.5}, ARRIVAL),
        ({"lsn": {"x": 1}}, ARRIVAL),
        ({"lsn": True}, ARRIVAL),
        ({"lsn": "１２"}, ARRIVAL),
    ],
)
def test_position_is_the_lsn_else_the_arrival(source: Any, expected: int) -> None:
    assert position(source) == expected


def test_snapshot_row_without_a_position_counts_by_its_arrival_too() -> None:
    assert position({"lsn": None}, op="r") == position(None, op="r") == ARRIVAL


def test_a_snapshot_row_of_postgresql_counts_by_the_topic_and_keeps_its_moment() -> None:
    assert standing({"lsn": 5}, op="r") == (BY_LOG, 5)
    assert standing({"lsn": None, "snapshot": "incremental"}, op="r") == (BY_LOG, 0)


def test_oracle_changes_are_ordered_by_commit_then_sequence() -> None:
    sources = [
        {"scn": "88213345120", "commit_scn": "88213345188", "txSeq": 3},
        {"scn": "88213345121", "commit_scn": "88213345188", "txSeq": 4},
        {"scn": "88213345122", "commit_scn": "88213345188", "txSeq": 70_000},
        {"scn": "88213345123", "commit_scn": "88213345188", "txSeq": 70_001},
        {"scn": "88213345100", "commit_scn": "100000000000", "txSeq": 1},
    ]
    places = [standing(source) for source in sources]
    assert places == sorted(set(places))
    assert places[-1] < (2**63, 0)


def test_oracle_before_debezium_3_3_does_not_order_the_changes_of_a_transaction() -> None:
    first, second = ({"scn": f"8821334512{n}", "commit_scn": "88213345188", "txSeq": None} for n in (0, 1))
    assert standing(first) == standing(second)


def test_an_oracle_snapshot_comes_before_what_was_committed_after_it() -> None:
    snapshot = standing({"scn": "88213345120", "commit_scn": None}, op="r")
    assert standing({"scn": "88213345100", "commit_scn": "88213345121"}) > snapshot > (0, 0)


SQL_SERVER = [
    {"commit_lsn": "00000027:00000ac0:0002", "change_lsn": None},  # a snapshot
    {"commit_lsn": "00000027:00000b00:0005", "change_lsn": "00000027:00000a00:0001", "event_serial_no": 1},
    {"commit_lsn": "00000027:00000b00:0005", "change_lsn": "00000027:00000a00:0001", "event_serial_no": 2},
    {"commit_lsn": "00000027:00000b00:0005", "change_lsn": "00000027:00000af0:0001", "event_serial_no": 1},
    {"commit_lsn": "00000028:00000010:0001", "change_lsn": "00000027:00000a10:0001", "event_serial_no": 1},
]


def test_sql_server_changes_are_ordered_by_their_commit_then_within_it() -> None:
    places = [standing(source) for source in SQL_SERVER]
    assert places == sorted(set(places))
    assert places[-1] < (2**63, 0)
    assert all(order < 2**63 - 1 for _, order in places)


@pytest.mark.parametrize("source", [{"lsn": None}, {"lsn": 5}, SQL_SERVER[1], {"file": "bin.000003", "pos": 5}])
def test_a_row_of_an_incremental_snapshot_has_its_place_in_the_topic_alone(source: dict[str, Any]) -> None:
    assert standing({**source, "snapshot": "incremental"}, op="r") == (BY_LOG, 0)
    assert standing({**source, "snapshot": "incremental"}) != (BY_LOG, 0)  # a change is what the log told


def test_mysql_changes_are_ordered_by_file_position_and_row() -> None:
    sources = [
        {"file": "mysql-bin.000003", "pos": 154, "row": 0},
        {"file": "mysql-bin.000003", "pos": 154, "row": 1},
        {"file": "mysql-bin.000003", "pos": 4_000_000_000, "row": 0},
        {"file": "mysql-bin.000010", "pos": 4, "row": 0},
        {"file": "mysql-bin.099999", "pos": 4, "row": 0},
    ]
    positions = [position(source) for source in sources]
    assert positions == sorted(set(positions))
    assert positions[-1] < 2**63


@pytest.mark.parametrize("file", ["mysql-bin", "", None, 3, "mysql-bin.٣"])
def test_odd_binlog_names_fall_back_to_the_arrival(file: object) -> None:
    assert position({"file": file, "pos": 1}) == ARRIVAL


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [("MDk=", 2, "123.45"), ("AA==", 0, "0"), ("/w==", 2, "-0.01"), ("gA==", 0, "-128"), ("AIA=", 1, "12.8"),
     ("AQ==", -2, "1E+2"), ("ALUK", 4, "4.6346")],
)  # fmt: skip
def test_binary_decimal_has_the_scale_of_its_schema(text: str, scale: int, expected: str) -> None:
    decoder = Decoder(table({"id": "text", "amt": "decimal"}))
    change = decoded(wrap(envelope({"id": "1", "amt": text}), {"id": TEXT, "amt": decimal(scale)}), decoder=decoder)
    assert str(change.fields["amt"]) == expected


def test_variable_scale_decimal() -> None:
    decoder = Decoder(table({"id": "text", "amt": "decimal"}))
    value = envelope({"id": "1", "amt": {"scale": 2, "value": "MDk="}})
    assert decoded(wrap(value, {"amt": VARIABLE_DECIMAL}), decoder=decoder).fields["amt"] == Decimal("123.45")


def test_numeric_key_written_as_binary_decimal_is_the_same_row() -> None:
    decoder = Decoder(table({"amt": "decimal"}))
    columns = {"id": decimal(0), "amt": decimal(2)}
    rows = {
        decoded(wrap(envelope({"id": "MDk="}), columns), decoder=decoder).row,
        decoded(wrap(envelope({}), columns), wrap_key({"id": "MDk="}, columns), decoder=decoder).row,
        decoded(envelope({"id": 12345}), decoder=decoder).row,
        decoded(wrap(envelope({"id": 12345}), {"id": LONG}), decoder=decoder).row,
    }
    assert rows == {"12345"}


@pytest.mark.parametrize("value", ["", "###", "浙", "A" * 1000, {"scale": 1}])
def test_bytes_that_are_no_decimal(value: object) -> None:
    decoder = Decoder(table({"id": "text", "amt": "decimal"}))
    assert refusal(wrap(envelope({"id": "1", "amt": value}), {"amt": decimal(2)}), decoder=decoder) == "wrong-type"


@pytest.mark.parametrize("value", [{"scale": 10**9, "value": "MDk="}, {"scale": "2", "value": "MDk="}, {"scale": 2}])
def test_objects_that_are_no_decimal(value: object) -> None:
    decoder = Decoder(table({"id": "text", "amt": "decimal"}))
    assert (
        refusal(wrap(envelope({"id": "1", "amt": value}), {"amt": VARIABLE_DECIMAL}), decoder=decoder) == "wrong-type"
    )


def test_binary_decimal_without_a_schema_cannot_be_guessed() -> None:
    decoder = Decoder(table({"id": "text", "amt": "decimal"}))
    assert refusal(envelope({"id": "1", "amt": "MDk="}), decoder=decoder) == "wrong-type"
