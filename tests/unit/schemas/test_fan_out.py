"""One record, several views of its row: who is told what, and what is refused."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas import INGEST_HEADER, BadInput, Decoder, Origin, TableMapping, decoder_of
from schemas.codes import CodeList
from schemas.ingested import encode_ingested
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump, envelope
from tests.helpers.records import Record
from tests.helpers.viewing import brief, decode, fan_out, told, with_views

PAYMENT = table({"id": "text", "cons": "text", "kind": "text", "paid_at": "timestamp", "office": "text"})
ROW = {"id": "P1", "cons": "C1", "kind": "cash", "paid_at": None, "office": "O1"}
STOP = {"entity": "settlement", "instance": "stop:{cons}", "of": "stop_account"}
BILL = {"entity": "payment", "instance": "bill:{cons}"}
CASH = {"entity": "cash", "instance": "day:{office}", "when": {"kind": ["cash", "card"]}}


def test_each_view_is_a_change_of_its_own_in_the_order_of_the_declaration() -> None:
    changes = decode(fan_out(PAYMENT, STOP, BILL), ROW)
    assert brief(changes) == [("settlement", "stop:C1", "P1", "c", ""), ("payment", "bill:C1", "P1", "c", "")]
    assert [(change.offset, change.part) for change in changes] == [(7, 0), (7, 1)]


def test_the_own_view_comes_first_where_an_instance_or_a_look_up_holds_it() -> None:
    owned = replace(PAYMENT, instance="cons")
    assert told(fan_out(owned, STOP), ROW)[0] == ("thing", "C1", "P1", "c", "")
    looked_up = replace(PAYMENT, is_reference=True)
    assert told(fan_out(looked_up, STOP), ROW)[0] == ("thing", "", "P1", "c", "")


def test_a_table_without_further_views_is_decoded_as_ever() -> None:
    assert isinstance(decoder_of(PAYMENT), Decoder)


def test_a_row_whose_column_is_null_is_not_told() -> None:
    assert told(fan_out(PAYMENT, STOP, CASH), {**ROW, "cons": None}) == [("cash", "day:O1", "P1", "c", "")]
    assert told(fan_out(PAYMENT, STOP), {**ROW, "cons": ""}) == []


def test_a_row_that_does_not_fit_is_not_told() -> None:
    assert told(fan_out(PAYMENT, CASH), {**ROW, "kind": "bank"}) == []
    assert told(fan_out(PAYMENT, CASH), {**ROW, "kind": None}) == []


def test_null_can_be_what_fits() -> None:
    free = {"entity": "free", "instance": "day:{office}", "when": {"kind": None}}
    assert told(fan_out(PAYMENT, free), {**ROW, "kind": None}) == [("free", "day:O1", "P1", "c", "")]


def test_an_instance_of_several_columns_keeps_them_apart() -> None:
    view = {"entity": "day", "instance": "day:{office}:{cons}"}
    assert told(fan_out(PAYMENT, view), ROW)[0][1] == "day:O1:C1"
    odd = [told(fan_out(PAYMENT, view), {**ROW, "office": o, "cons": c})[0][1] for o, c in (("a:b", "c"), ("a", "b:c"))]
    assert len(set(odd)) == 2


def test_columns_feed_fields_of_the_view() -> None:
    view = {"entity": "visit", "instance": "cons", "columns": {"kind": "stage", "paid_at": "entered_at"},
            "constants": {"visit": 1, "finished_at": None}}  # fmt: skip
    (change,) = decode(fan_out(PAYMENT, view), {**ROW, "paid_at": "2026-03-02T01:00:00Z"})
    assert change.instance == "C1"
    assert change.fields == {
        "id": "P1", "cons": "C1", "stage": "cash", "entered_at": AT, "visit": 1, "finished_at": None
    }  # fmt: skip


def test_rows_of_a_log_can_be_about_one_row() -> None:
    view = {"entity": "visit", "instance": "cons", "row": ["cons", "kind"], "is_lasting": True}
    assert told(fan_out(PAYMENT, view), ROW)[0][2] == "C1|cash"


def test_a_delete_reaches_every_view() -> None:
    decoder = fan_out(PAYMENT, STOP, BILL)
    assert told(decoder, None, op="d", before=ROW) == [
        ("settlement", "stop:C1", "P1", "d", ""), ("payment", "bill:C1", "P1", "d", "")
    ]  # fmt: skip


@pytest.mark.parametrize("image", [{"id": "P1"}, {"id": "P1", "cons": None, "kind": None, "office": None}])
def test_a_delete_that_names_no_more_than_its_key_goes_to_whoever_holds_the_row(image: dict[str, Any]) -> None:
    assert told(fan_out(PAYMENT, STOP, CASH), None, op="d", before=image) == [
        ("settlement", "", "P1", "d", ""), ("cash", "", "P1", "d", "")
    ]  # fmt: skip


def test_a_row_that_goes_to_another_instance_leaves_the_one_before_in_every_view() -> None:
    changes = told(fan_out(PAYMENT, STOP, BILL), {**ROW, "cons": "C2"}, op="u", before=ROW)
    assert changes == [("settlement", "stop:C2", "P1", "u", "stop:C1"), ("payment", "bill:C2", "P1", "u", "bill:C1")]


def test_a_row_that_no_longer_fits_leaves() -> None:
    (change,) = decode(fan_out(PAYMENT, CASH), {**ROW, "kind": "bank"}, op="u", before=ROW)
    assert (change.instance, change.left) == ("", "day:O1")
    assert (change.leaving().instance, change.leaving().op) == ("day:O1", "d")


def test_a_row_that_comes_to_fit_comes() -> None:
    assert told(fan_out(PAYMENT, CASH), ROW, op="u", before={**ROW, "kind": "bank"}) == [
        ("cash", "day:O1", "P1", "u", "")
    ]


def test_a_changed_key_takes_the_old_row_away_in_every_view() -> None:
    assert told(fan_out(PAYMENT, STOP, BILL), {**ROW, "id": "P2"}, op="u", before=ROW) == [
        ("settlement", "stop:C1", "P1", "d", ""), ("settlement", "stop:C1", "P2", "c", ""),
        ("payment", "bill:C1", "P1", "d", ""), ("payment", "bill:C1", "P2", "c", ""),
    ]  # fmt: skip


def test_what_lasts_is_not_taken_away() -> None:
    decoder = fan_out(PAYMENT, CASH | {"is_lasting": True})
    assert told(decoder, None, op="d", before=ROW) == []
    assert told(decoder, {**ROW, "office": "O2"}, op="u", before=ROW) == [("cash", "day:O2", "P1", "u", "")]
    assert told(decoder, {**ROW, "kind": "bank"}, op="u", before=ROW) == []


def test_a_snapshot_row_and_a_tombstone() -> None:
    decoder = fan_out(PAYMENT, STOP)
    assert told(decoder, ROW, op="r") == [("settlement", "stop:C1", "P1", "r", "")]
    assert decoder.decode_all(key=b"1", value=None, timestamp=AT, topic="t", partition=0, offset=1) == []
    assert decoder.skipped == {"tombstone": 1}


def test_a_row_by_hand_takes_the_same_road_in_the_topic_of_another_dialect() -> None:
    ogg = replace(PAYMENT, dialect="ogg-json")
    origin = Origin(connector="stagewatch-file", src="manual", src_ts=AT)
    decoder = fan_out(ogg, STOP)
    (change,) = decoder.decode_all(
        key=None, value=encode_ingested("u", ROW, origin), headers=origin.headers, timestamp=AT, topic="t",
        partition=0, offset=1,
    )  # fmt: skip
    assert (change.instance, change.position < 0) == ("stop:C1", True)
    assert INGEST_HEADER in dict(origin.headers)


def test_a_row_that_does_not_say_where_it_belongs_is_told_to_the_others_and_the_worker_says_so() -> None:
    decoder = fan_out(replace(PAYMENT, instance="cons"), CASH)
    assert told(decoder, {"id": "P1", "cons": "C1"}, op="u") == [("thing", "C1", "P1", "u", "")]
    (warning,) = decoder.warnings
    assert warning.startswith("cdc.x.t: rows come without office")


def test_what_one_view_cannot_read_is_refused_whole_and_once() -> None:
    kept = {**PAYMENT.columns, "paid_at": replace(PAYMENT.columns["paid_at"], is_kept=False)}
    decoder = fan_out(replace(PAYMENT, columns=kept, instance="cons"),
                      STOP | {"columns": ["paid_at"]}, BILL | {"columns": ["paid_at"]})  # fmt: skip
    with pytest.raises(BadInput, match="paid_at"):
        decode(decoder, {**ROW, "paid_at": "soon"})
    rows = [{**ROW, "paid_at": at} for at in (1, "soon", 2)]
    records = [Record(offset, AT, None, dump(envelope(row))) for offset, row in enumerate(rows)]
    changes, refused, _ = decoder.decode_run(records, topic="t", partition=0, high=0)
    assert [(change.offset, change.part) for change in changes] == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)]
    assert [each.record.offset for each in refused] == [1]


def test_an_instance_that_looks_like_a_record_of_ours_is_refused() -> None:
    with pytest.raises(BadInput, match="zero byte"):
        decode(fan_out(PAYMENT, BILL | {"instance": "cons"}), {**ROW, "cons": "\0mark"})


def test_codes_are_counted_once() -> None:
    listed = CodeList("kinds", {"1": "one"}, {})
    columns = {**PAYMENT.columns, "kind": replace(PAYMENT.columns["kind"], codes=listed)}
    decoder = fan_out(replace(PAYMENT, columns=columns), STOP, BILL)
    decode(decoder, ROW)
    assert decoder.unknown_codes == {"kind": 1}


def test_views_of_a_table_are_what_its_mapping_says() -> None:
    mapping: TableMapping = with_views(PAYMENT, STOP)
    assert (mapping.is_keyed, PAYMENT.is_keyed, mapping.also[0].instance_kind) == (True, False, "stop:cons")
