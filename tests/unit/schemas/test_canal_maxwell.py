"""Canal's and Maxwell's messages: several rows, text for everything, what is no row, positions."""

from typing import Any

import pytest

from schemas import BadInput, Change, Decoder, TableMapping
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump


def mapping(dialect: str) -> TableMapping:
    return table(
        {"id": "int", "app": "text", "stage": "text", "at": "timestamp", "amt": "decimal"},
        dialect=dialect,
        instance="app",
    )


def decode(value: Any, decoder: Decoder, *, key: bytes | None = None, offset: int = 7) -> list[Change]:
    return decoder.decode_all(key=key, value=dump(value), timestamp=AT, topic="cdc.x.t", partition=0, offset=offset)


def canal(*rows: Any, kind: str = "INSERT", **more: Any) -> dict[str, Any]:
    return {"type": kind, "isDdl": False, "es": 1_795_224_615_000, "data": list(rows), "old": None, **more}


def maxwell(kind: str = "insert", data: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "database": "x",
        "table": "t",
        "type": kind,
        "ts": 1_795_224_615,
        "data": data or {"id": 1, "app": "A1"},
        **more,
    }


def from_canal(value: Any, offset: int = 7) -> list[Change]:
    return decode(value, Decoder(mapping("canal-json")), offset=offset)


def from_maxwell(value: Any, offset: int = 7, key: bytes | None = None) -> list[Change]:
    return decode(value, Decoder(mapping("maxwell-json")), offset=offset, key=key)


def refusal(value: Any, dialect: str) -> str:
    with pytest.raises(BadInput) as caught:
        decode(value, Decoder(mapping(dialect)))
    return caught.value.reason


# -- Canal


def test_each_row_of_a_message_is_a_change_of_the_same_record() -> None:
    changes = from_canal(canal(*({"id": str(n), "app": f"A{n}"} for n in range(3))))
    assert [(c.row, c.instance, c.offset, c.part) for c in changes] == [
        ("0", "A0", 7, 0),
        ("1", "A1", 7, 1),
        ("2", "A2", 7, 2),
    ]


def test_old_belongs_to_the_row_of_its_place() -> None:
    rows, old = [{"id": "1", "app": "A1"}, {"id": "2", "app": "A2"}], [{"stage": "x"}, {"app": "A9"}]
    assert [c.left for c in from_canal(canal(*rows, kind="UPDATE", old=old))] == ["", "A9"]


def test_old_may_name_columns_that_this_row_did_not_change() -> None:
    (change,) = from_canal(canal({"id": "1", "app": "A1"}, kind="UPDATE", old=[{"id": "1", "app": "A1"}]))
    assert (change.op, change.left) == ("u", "")


def test_changes_follow_the_topic_and_then_their_place_in_the_message_also_where_time_goes_back() -> None:
    row = {"id": "1", "app": "A1"}
    told = [c for offset in (7, 8) for c in from_canal(canal(row, row), offset=offset)]
    told += from_canal(canal(row, es=1_000_000_000_000), offset=9)
    places = [(c.position, c.order) for c in told]
    assert places == sorted(set(places))


@pytest.mark.parametrize(
    ("kind", "is_ddl", "reason"),
    [("ALTER", True, "ddl"), ("QUERY", True, "ddl"), ("CINDEX", False, "ddl"), ("TRUNCATE", True, "truncate")],
)
def test_canals_ddl_is_counted(kind: str, is_ddl: bool, reason: str) -> None:  # noqa: FBT001
    decoder = Decoder(mapping("canal-json"))
    assert decode({"type": kind, "isDdl": is_ddl, "data": None, "sql": "..."}, decoder) == []
    assert decoder.skipped == {reason: 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (canal(kind="INSERT"), "no-row-image"), (canal(None), "no-row-image"), (canal(5), "wrong-type"),
        (canal({"id": "1", "app": "A"}, kind="X"), "unknown-operation"), ({"type": 5}, "wrong-type"),
        (canal({"id": "1", "app": "A"}, kind="TRUNCATE", isDdl=True), "unknown-operation"),
        (canal({"id": "1", "app": "A"}, isDdl=True), "unknown-operation"),
        (canal({"app": "A1"}), "missing-key"), (canal({"id": "x", "app": "A1"}), "wrong-type"),
        (canal({"id": "1", "app": "A1", "at": "soon"}), "unreadable-date"),
    ],
)  # fmt: skip
def test_what_canal_cannot_mean_is_refused(value: Any, reason: str) -> None:
    assert refusal(value, "canal-json") == reason


@pytest.mark.parametrize("zero", ["0000-00-00 00:00:00", "0000-00-00"])
def test_mysqls_zero_date_is_none(zero: str) -> None:
    assert from_canal(canal({"id": "1", "app": "A1", "at": zero}))[0].fields["at"] is None


def test_a_time_kept_as_a_number_is_read_in_its_unit() -> None:
    assert from_canal(canal({"id": "1", "app": "A1", "at": "1772442000000000"}))[0].fields["at"] == AT


# -- Maxwell


def test_maxwells_old_has_only_what_changed() -> None:
    (change,) = from_maxwell(maxwell("update", {"id": 1, "app": "A1", "stage": "b"}, old={"stage": "a"}))
    assert (change.op, change.left, change.fields) == ("u", "", {"id": 1, "app": "A1", "stage": "b"})
    assert from_maxwell(maxwell("update", old={"app": "A9"}))[0].left == "A9"


def test_a_changed_key_of_maxwell_is_two_changes() -> None:
    gone, come = from_maxwell(maxwell("update", {"id": 2, "app": "A1"}, old={"id": 1}))
    assert [(c.op, c.row, c.part) for c in (gone, come)] == [("d", "1", 0), ("c", "2", 1)]


def test_binary_log_places_order_changes_across_files() -> None:
    places = ["mysql-bin.000006:4", "mysql-bin.000006:800911", "mysql-bin.000010:4"]
    positions = [from_maxwell(maxwell(position=place), offset=9 - n)[0].position for n, place in enumerate(places)]
    assert positions == sorted(set(positions))


def test_without_a_place_the_topic_orders_also_where_time_goes_back() -> None:
    told = [
        from_maxwell(maxwell(ts=ts), offset=offset)[0]
        for ts, offset in ((1_795_224_615, 7), (1_795_224_616, 8), (1_795_224_612, 9))
    ]
    places = [(c.position, c.order) for c in told]
    assert places == sorted(set(places))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bootstrap-start", "bootstrap"),
        ("bootstrap-complete", "bootstrap"),
        ("table-alter", "ddl"),
        ("database-drop", "ddl"),
    ],
)
def test_what_maxwell_writes_beside_rows_is_counted(kind: str, reason: str) -> None:
    decoder = Decoder(mapping("maxwell-json"))
    assert decode({"type": kind, "database": "x", "table": "t", "ts": 1_795_224_615_000, "data": {}}, decoder) == []
    assert decoder.skipped == {reason: 1}


def test_a_delete_without_data_takes_its_row_from_the_key() -> None:
    for key in (b'{"database":"x","table":"t","pk.id":7}', b'["x","t",[{"id":7}]]'):
        (change,) = from_maxwell({"type": "delete", "database": "x", "table": "t", "data": {}}, key=key)
        assert (change.op, change.row, change.instance) == ("d", "7", "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "insert", "data": None}, "no-row-image"), ({"type": "merge", "data": {"id": 1}}, "unknown-operation"),
        ({"data": {"id": 1}}, "unknown-operation"), (maxwell(data={"app": "A1"}), "missing-key"),
        (maxwell("bootstrap-complete"), "unknown-operation"), (maxwell("table-alter"), "unknown-operation"),
        (maxwell(ts="x"), "wrong-type"),
    ],
)  # fmt: skip
def test_what_maxwell_cannot_mean_is_refused(value: Any, reason: str) -> None:
    assert refusal(value, "maxwell-json") == reason
