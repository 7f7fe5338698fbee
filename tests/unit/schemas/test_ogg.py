"""GoldenGate: positions, meta columns, operations, several documents, clocks; what is refused and why."""

from typing import Any

import pytest

from schemas import BadInput, Change, Decoder, TableMapping
from schemas.mapping import Format
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump

META = {"table": "YXPDB.WF.T", "op_type": "U", "op_ts": "2026-03-02 01:00:00.000123", "pos": f"{3:010}{500:010}"}
ROW = {"ID": 1, "STAGE": "SURVEY"}


def mapping(
    dialect: str = "ogg-json", *, op_ts_timezone: str = "UTC", key: tuple[str, ...] = ("id",), **form: Any
) -> TableMapping:
    columns = {"id": "text", "stage": "text", "at": "timestamp"}
    return table(columns, dialect=dialect, format=Format(**form), op_ts_timezone=op_ts_timezone, key=key)


def decode(
    value: Any, of: TableMapping | Decoder | None = None, *, key: bytes | None = None, offset: int = 7
) -> list[Change]:
    decoder = of if isinstance(of, Decoder) else Decoder(of or mapping())
    raw = value if isinstance(value, bytes) else dump(value)
    return decoder.decode_all(key=key, value=raw, timestamp=AT, topic="cdc.x.t", partition=0, offset=offset)


def refusal(value: Any, of: TableMapping | None = None, key: bytes | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        decode(value, of, key=key)
    return caught.value.reason


def position(of: TableMapping | None = None, offset: int = 7, **meta: Any) -> int:
    return standing(of, offset, **meta)[0]


def standing(of: TableMapping | None = None, offset: int = 7, **meta: Any) -> tuple[int, int]:
    change = decode({**META, "after": ROW, **meta}, of, offset=offset)[0]
    return change.position, change.order


def pos(sequence: int, rba: int) -> str:
    return f"{sequence:010}{rba:010}"


# -- positions


def test_positions_follow_the_trail() -> None:
    places = [
        "00000000-10000001391",
        pos(0, 4),
        pos(0, 2_000_000_000),
        pos(1, 4),
        pos(10, 4),
        f"000{pos(120, 46)}",
        pos(999_999, 9),
    ]
    positions = [position(pos=place) for place in places]
    assert positions == sorted(set(positions))
    assert positions[0] >= 0
    assert positions[-1] < 2**63


def test_the_row_of_an_initial_load_was_read_by_a_snapshot() -> None:
    change = decode({**META, "op_type": "I", "pos": "00000000-10000001391", "after": ROW})[0]
    assert (change.op, change.position) == ("r", 1391)


def test_a_trail_made_anew_goes_on_under_its_epoch() -> None:
    assert position(mapping(trail_epoch=1), pos=pos(0, 4)) > position(pos=pos(999_999, 2_000_000_000))


def test_the_commit_number_wins_over_a_trail_that_began_anew() -> None:
    before = position(csn="88213345188", pos=pos(120, 46_318_827))
    assert position(csn="88213445188", pos=pos(0, 1_500)) > before
    assert position(csn=88213445188, pos=pos(0, 1_500)) > before


def test_changes_of_one_transaction_share_the_commit_number_and_follow_the_trail() -> None:
    trail = [pos(120, 46_318_827), pos(120, 46_318_828), pos(120, 46_319_990), pos(121, 1_500)]
    places = [standing(csn="88213345188", pos=place) for place in trail]
    assert places == sorted(set(places))
    assert {position for position, _ in places} == {88213345188}


def test_the_next_file_of_the_trail_goes_on_however_few_commits_there_are() -> None:
    before = standing(csn="88213345089", pos=pos(12, 400_500_000))
    assert standing(csn="88213345090", pos=pos(13, 1_500)) > before


def test_changes_of_one_transaction_without_a_place_follow_the_topic() -> None:
    first, second = dump({**META, "csn": "5", "pos": None, "after": ROW}), dump({**META, "csn": "5", "after": ROW})
    told = decode(first + second.replace(b'"pos"', b'"other"'), offset=41)
    told += decode(first, offset=42)
    assert [change.position for change in told] == [5, 5, 5]
    assert [change.order for change in told] == sorted({change.order for change in told})


def test_the_commit_number_alone_orders_too() -> None:
    assert (
        position(csn="100", pos=None) < position(csn="101", pos=None) < position(csn="20000000000000", pos=None) < 2**63
    )


@pytest.mark.parametrize("csn", ["", "0", "000006:800911", "9" * 15, -5, None, True, ["1"]])
def test_what_is_no_commit_number_leaves_the_trail(csn: object) -> None:
    assert position(csn=csn) == position()


@pytest.mark.parametrize("place", [None, "", "x", "123", 5, "1" * 40, "٣" * 20])
def test_without_a_place_the_order_of_the_topic_decides(place: object) -> None:
    assert standing(pos=place, offset=7) < standing(pos=place, offset=8)


# -- images and operations


@pytest.mark.parametrize("before", [{}, None, ...])
def test_before_may_be_empty_or_absent(before: object) -> None:
    record = {**META, "after": ROW} if before is ... else {**META, "before": before, "after": ROW}
    assert [(c.op, c.left) for c in decode(record)] == [("u", "")]


def test_a_delete_without_image_takes_its_row_from_the_key() -> None:
    assert decode({**META, "op_type": "D"}, key=b"17")[0].row == "17"
    assert decode({**META, "op_type": "D"}, key=b'{"ID":17}')[0].row == "17"
    assert refusal({**META, "op_type": "D"}) == "missing-key"
    two = mapping(key=("id", "stage"))
    assert decode({**META, "op_type": "D"}, two, key=b"17_SURVEY")[0].row == "17|SURVEY"
    assert refusal({**META, "op_type": "D"}, two, b"17_IN_SURVEY") == "missing-key"


def test_the_names_of_meta_columns_are_the_templates() -> None:
    named = {"opType": "U", "tab": "T", "position": pos(3, 500), "opTs": META["op_ts"], "after": ROW}
    form = mapping(meta={"op_type": "opType", "pos": "position", "op_ts": "opTs", "table": "tab"})
    assert decode(named, form)[0].position == position()
    assert refusal(named) == "unknown-operation"


def test_operations_may_have_other_names() -> None:
    form = mapping(operations={"INS": "insert", "DEL": "delete"})
    assert [decode({**META, "op_type": op, "after": ROW, "before": ROW}, form)[0].op for op in ("INS", "DEL", "U")] == [
        "c",
        "d",
        "u",
    ]
    assert decode({**META, "op_type": "UPSERT", "after": ROW})[0].op == "u"


@pytest.mark.parametrize(("op", "reason"), [("T", "truncate"), ("DDL", "ddl"), ("ALTER", "ddl")])
def test_what_changes_no_row_is_counted(op: str, reason: str) -> None:
    decoder = Decoder(mapping())
    assert decode({**META, "op_type": op, "before": None, "after": None}, decoder) == []
    assert decoder.skipped == {reason: 1}


@pytest.mark.parametrize("image", ["before", "after"])
def test_a_row_under_an_operation_that_has_none_is_a_dead_letter(image: str) -> None:
    assert refusal({**META, "op_type": "T", image: ROW}) == "unknown-operation"


@pytest.mark.parametrize("op", ["X", "", None, 5, {"a": 1}, "u"])
def test_unknown_operation_is_a_dead_letter(op: object) -> None:
    assert refusal({**META, "op_type": op, "after": ROW}) == "unknown-operation"


def test_update_without_a_row_is_refused() -> None:
    assert refusal({**META, "before": ROW, "after": None}) == "no-row-image"
    assert refusal({**META, "after": [1]}) == "wrong-type"


def test_a_moved_row_of_which_only_the_key_is_known_comes_with_what_is_known() -> None:
    gone, come = decode({**META, "before": {"ID": 1}, "after": {"ID": 2, "STAGE": "SCHEME"}})
    assert (gone.op, gone.row, gone.part) == ("d", "1", 0)
    assert (come.op, come.row, come.part, come.fields) == ("c", "2", 1, {"id": "2", "stage": "SCHEME"})


@pytest.mark.parametrize(
    ("text", "ms"),
    [("2026-03-02 09:00:00", AT), ("2026-03-02:09:00:00.000000000", AT), ("20260302090000", AT),
     ("2026-03-02T01:00:00Z", AT),
     ("20260301", 1_772_380_799_999), ("2026-03-02 09:00:00.000 +08:00", AT), ("1772442000000000", AT)],
)  # fmt: skip
def test_dates_come_in_many_forms(text: str, ms: int) -> None:
    assert decode({**META, "after": {**ROW, "AT": text}})[0].fields["at"] == ms


@pytest.mark.parametrize("text", ["2026-13-02:09:00:00", "20261302090000", "尽快", "2026-03-02:09"])
def test_what_is_no_date_is_refused(text: str) -> None:
    assert refusal({**META, "after": {**ROW, "AT": text}}) == "unreadable-date"


# -- several documents


def test_documents_of_a_transaction_come_in_order_with_the_place_of_their_record() -> None:
    records = [{**META, "pos": pos(3, n), "after": {"ID": n, "STAGE": "}{"}} for n in range(1, 4)]
    for separator in (b"", b"\n", b" \r\n "):
        changes = decode(separator.join(map(dump, records)) + b"\n", offset=41)
        assert [(c.row, c.offset, c.part) for c in changes] == [("1", 41, 0), ("2", 41, 1), ("3", 41, 2)]
        assert [c.position for c in changes] == sorted({c.position for c in changes})


def test_documents_without_a_place_are_ordered_within_their_record() -> None:
    record = {"op_type": "U", "op_ts": "2026-03-02 01:00:00", "after": ROW}
    changes = decode(dump(record) * 3, offset=41) + decode(record, offset=42)
    places = [(c.position, c.order) for c in changes]
    assert places == sorted(set(places))


def test_of_a_record_all_is_taken_or_nothing() -> None:
    good = dump({**META, "after": ROW})
    assert refusal(good + dump({**META, "op_type": "X", "after": ROW})) == "unknown-operation"
    assert refusal(good + good[:-5]) == "not-json"
    assert refusal(good + b"," + good) == "not-json"


@pytest.mark.parametrize("value", [b"  \n", b"[]", b"1", b"null", b'"x"'])
def test_no_document_at_all(value: bytes) -> None:
    for dialect in ("ogg-json", "ogg-json-row"):
        assert refusal(value, mapping(dialect)) in {"not-json", "wrong-type"}


# -- row form and delimited text


def test_row_form_reads_columns_beside_the_meta_columns() -> None:
    assert decode({**META, **ROW}, mapping("ogg-json-row"))[0].fields == {"id": "1", "stage": "SURVEY"}
    assert refusal(META, mapping("ogg-json-row")) == "no-row-image"


DELIMITED = mapping("ogg-delimited", delimiter="|", columns=("id", "other", "stage", "at"))


def line(*cells: str, op: str = "U") -> bytes:
    return "|".join([op, "WF.T", META["op_ts"], "2026-03-02T09:00:01", pos(3, 500), *cells]).encode()


def test_delimited_text_is_read_by_its_places() -> None:
    change = decode(line("1", "x", "NULL", "2026-03-02 09:00:00"), DELIMITED)[0]
    assert change.fields == {"id": "1", "stage": None, "at": AT}
    assert decode(line("1", "x", "", "NULL"), DELIMITED)[0].fields == {"id": "1", "at": None}


def test_lines_of_delimited_text() -> None:
    two = line("1", "x", "a", "NULL") + b"\r\n" + line("2", "x", "b", "NULL", op="I") + b"\n"
    assert [(c.op, c.row, c.part) for c in decode(two, DELIMITED)] == [("u", "1", 0), ("c", "2", 1)]


@pytest.mark.parametrize("cells", [("1", "x", "a"), ("1", "x", "a", "NULL", "more"), ("1", "x|y", "a", "NULL")])
def test_another_count_of_fields_is_refused_for_every_column_may_be_another_one(cells: tuple[str, ...]) -> None:
    assert refusal(line(*cells), DELIMITED) == "wrong-columns"


def test_delimited_text_must_be_utf8() -> None:
    assert refusal(line("1", "x", "a", "NULL").replace(b"a", "甲".encode("gbk")), DELIMITED) == "not-utf8"


def test_the_default_delimiter_is_the_character_one() -> None:
    form = mapping("ogg-delimited", columns=("id", "stage"))
    assert decode(line("1", "a").replace(b"|", b"\x01"), form)[0].row == "1"


# -- clocks


def fed(count: int, op_ts: str, zone: str = "UTC", at: int = AT, **meta: Any) -> Decoder:
    decoder = Decoder(mapping(op_ts_timezone=zone))
    for offset in range(count):
        value = dump({**META, "op_ts": op_ts, **meta, "after": ROW})
        decoder.decode_all(key=None, value=value, timestamp=at, topic="cdc.x.t", partition=0, offset=offset)
    return decoder


def test_commit_times_in_another_zone_than_declared_are_said_aloud() -> None:
    (warning,) = fed(20, "2026-03-02 08:59:58").warnings
    assert "8 h after" in warning
    assert "op_ts_timezone" in warning
    (warning,) = fed(20, "2026-03-02 00:59:58", zone="Asia/Shanghai").warnings
    assert "8 h before" in warning


@pytest.mark.parametrize(
    ("count", "op_ts", "zone"),
    [(20, "2026-03-02 00:59:58", "UTC"), (20, "2026-03-02 08:59:58", "Asia/Shanghai"),
     (19, "2026-03-02 08:59:58", "UTC"),
     (30, "2026-03-02 00:29:58", "UTC"), (30, "2026-02-27 13:29:58", "UTC"), (30, "soon", "UTC")],
)  # fmt: skip
def test_right_zones_true_lags_and_few_records_say_nothing(count: int, op_ts: str, zone: str) -> None:
    assert fed(count, op_ts, zone).warnings == []


def test_records_replayed_much_later_are_compared_with_their_own_clock() -> None:
    much_later = AT + 400 * 86_400_000
    assert fed(20, "2026-03-02 00:59:58", current_ts="2026-03-02T09:00:00", at=much_later).warnings == []
    (warning,) = fed(
        20, "2026-03-02 00:59:58", "Asia/Shanghai", current_ts="2026-03-02T09:00:00", at=much_later
    ).warnings
    assert "8 h before" in warning
