"""Our own records: the wire format that others rely on, and what is refused."""

import json
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest

from schemas import (
    AlertEvent,
    AlertObject,
    BadInput,
    Change,
    DeadLetter,
    Evidence,
    IndicatorDelta,
    IndicatorValue,
    Mark,
    Notice,
    Recipient,
    Value,
    decode_alert,
    decode_change,
    decode_dead_letter,
    decode_delta,
    decode_indicator,
    decode_mark,
    decode_notice,
    encode_alert,
    encode_change,
    encode_dead_letter,
    encode_delta,
    encode_indicator,
    encode_mark,
    encode_notice,
    epoch_ms,
    iso,
)

ALERT = AlertEvent(
    alert_id="00ff", event="raised", rule="R-N01", rule_version=1, severity="WARN", process="hv_connection",
    instance="A1", stage=None, visit=None, raised_at=1_772_413_200_000, due_at=None, org_no="3340101", dept=None,
    person="M001", object=AlertObject("pub_trans", "T1", "NL1"), text="受限公变",
    evidence=(Evidence("cdc.a.b", 0, 17),),
)  # fmt: skip


def test_alert_event_is_written_as_the_contract_says() -> None:
    text = encode_alert(ALERT).decode()
    assert text == (
        '{"version":1,"alert_id":"00ff","event":"raised","rule":"R-N01","rule_version":1,"severity":"WARN",'
        '"process":"hv_connection","instance":"A1","stage":null,"visit":null,"raised_at":"2026-03-02T01:00:00.000Z",'
        '"due_at":null,"org_no":"3340101","dept":null,"person":"M001",'
        '"object":{"type":"pub_trans","no":"T1","item":"NL1"},"text":"受限公变",'
        '"evidence":[{"topic":"cdc.a.b","partition":0,"offset":17}]}'
    )
    assert decode_alert(text.encode()) == ALERT


def test_alert_event_with_a_deadline_round_trips() -> None:
    alert = msgspec.structs.replace(ALERT, due_at=-1, stage="SURVEY", visit=2, object=None, evidence=())
    assert decode_alert(encode_alert(alert)) == alert


def test_decimals_survive_with_their_places_and_stay_apart_from_text() -> None:
    fields: dict[str, Value] = {"a": Decimal("1.50"), "b": "1.50", "c": None, "d": True, "e": -(2**63)}
    change = Change("x", "i", "r", "u", 1, 2, "t", 0, 3, fields)
    again = decode_change(encode_change(change))
    assert again == change
    assert str(again.fields["a"]) == "1.50"
    assert type(again.fields["b"]) is str
    assert again.fields["d"] is True


def test_encoding_leaves_the_change_as_it_was() -> None:
    change = Change("x", "i", "r", "u", 1, 2, "t", 0, 3, {"a": Decimal("1.50")})
    encode_change(change)
    assert change.fields == {"a": Decimal("1.50")}


def test_other_records_round_trip() -> None:
    mark = Mark("t", 1, 2, 3, is_end=True)
    delta = IndicatorDelta("I111", "33401", "2026-03-02", '{"process":"hv_connection"}', -1, 1, 5)
    value = IndicatorValue(indicator="I111", org_no="1", date="", dims={"a": "b"}, numerator=1, denominator=3,
                           value=1 / 3, at=iso(0))  # fmt: skip
    notice = Notice(alert_id="a", rule="R-T03", severity="WARN", process="p", instance="i", org_no=None,
                    recipient=Recipient("M1", "甲"), channel="sms", text="请", at=1, due_at=None)  # fmt: skip
    letter = DeadLetter.of(
        "empty", "zero bytes", topic="t", partition=0, offset=1, timestamp=2, key=None, value=b"\xff"
    )
    assert decode_mark(encode_mark(mark)) == mark
    assert decode_delta(encode_delta(delta)) == delta
    assert decode_indicator(encode_indicator(value)) == value
    assert decode_notice(encode_notice(notice)) == notice
    assert decode_dead_letter(encode_dead_letter(letter)) == letter
    assert json.loads(encode_dead_letter(letter))["value_b64"] == "/w=="


@pytest.mark.parametrize(
    "decode",
    [decode_change, decode_mark, decode_delta, decode_alert, decode_notice, decode_indicator, decode_dead_letter],
)
@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"{}", b"[]", b"\x91" * 5000, b"[" * 5000, b"\x93\x01\x02", b"null", b'{"x":"\xff"}', b"\xc1"],
)
def test_foreign_bytes_in_our_topics_are_bad_input(decode: object, data: bytes) -> None:
    assert callable(decode)
    with pytest.raises(BadInput):
        decode(data)


@pytest.mark.parametrize("ext", [(1, b"x"), (1, b"\xff"), (2, b"1"), (1, b"")])
def test_foreign_extension_in_a_change_is_bad_input(ext: tuple[int, bytes]) -> None:
    parts = ["x", "i", "r", "u", 1, 2, "t", 0, 3, {"a": msgspec.msgpack.Ext(*ext)}]
    with pytest.raises(BadInput):
        decode_change(msgspec.msgpack.encode(parts))


def test_a_change_with_a_binary_fraction_is_bad_input() -> None:
    with pytest.raises(BadInput):
        decode_change(msgspec.msgpack.encode(["x", "i", "r", "u", 1, 2, "t", 0, 3, {"a": 1.5}]))


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (1_772_413_200_007, "2026-03-02T01:00:00.007Z"),
     (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z")],
)  # fmt: skip
def test_iso_and_back(ms: int, text: str) -> None:
    assert iso(ms) == text
    assert epoch_ms(text) == ms


def test_iso_stays_within_the_years_that_it_can_write() -> None:
    assert iso(10**18) == "9999-12-31T23:59:59.999Z"
    assert iso(-(10**18)) == "0001-01-01T00:00:00.000Z"


def test_epoch_ms_reads_offsets_and_refuses_local_times() -> None:
    assert epoch_ms("2026-03-02T09:00:00+08:00") == epoch_ms("2026-03-02T01:00Z")
    assert epoch_ms("9999-12-31T23:59:59.999-12:00") > epoch_ms("9999-12-31T23:59:59.999Z")
    for text in ("2026-03-02T09:00:00", "2026-03-02", "x", ""):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the promise
            epoch_ms(text)


def test_iso_agrees_with_datetime() -> None:
    moment = datetime.fromisoformat("2026-03-02T09:00:00.123+08:00")
    assert iso(int(moment.timestamp() * 1000)) == "2026-03-02T01:00:00.123Z"
