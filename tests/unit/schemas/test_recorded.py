"""Lines of recorded input: the record that Kafka would have given, whatever is in it."""

import json
from typing import Any

import pytest

from schemas import BadInput, Decoder, parse_recorded
from tests.helpers.decoding import mapping
from tests.helpers.hostile_wire import APP, FINDING, HOSTILE, OK, SILENT, Hostile, app, dump, envelope


def line(value: str, key: str = '{"app_no":"A1"}', more: str = "") -> bytes:
    place = f'"topic":"{APP}","partition":2,"offset":17,"timestamp":5'
    return f'{{{place},"key":{key},"value":{value}{more}}}'.encode()


def test_key_and_value_stay_as_written() -> None:
    record = parse_recorded(line('{"a":1.50, "a":2}', more=',"headers":{"h":"1"}'))
    assert (record.topic, record.partition, record.offset, record.timestamp) == (APP, 2, 17, 5)
    assert record.key == b'{"app_no":"A1"}'
    assert record.value == b'{"a":1.50, "a":2}'
    assert record.headers == {"h": "1"}


def test_null_is_a_tombstone_and_absent_headers_are_none() -> None:
    record = parse_recorded(line("null", key="null"))
    assert (record.key, record.value, record.headers) == (None, None, {})


def test_raw_bytes_are_raw() -> None:
    place = {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0, "key": None}
    assert parse_recorded(dump({**place, "value_b64": "/wA="})).value == b"\xff\x00"
    assert parse_recorded(dump({**place, "value_b64": ""})).value == b""


@pytest.mark.parametrize("headers", [[["h", "1"]], {"h": "1"}])
def test_headers_by_name_or_as_pairs(headers: Any) -> None:
    assert parse_recorded(line("1", more=f',"headers":{json.dumps(headers)}')).headers == {"h": "1"}


@pytest.mark.parametrize("headers", ["1", '"x"', "[1]", '["ab"]', "null"])
def test_odd_headers_do_no_harm(headers: str) -> None:
    assert parse_recorded(line("1", more=f',"headers":{headers}')).value == b"1"


def reason(record: Hostile, raw: bytes) -> str:
    recorded = parse_recorded(raw)
    try:
        change = Decoder(mapping(record.topic)).decode(
            key=recorded.key, value=recorded.value, headers=recorded.headers, timestamp=recorded.timestamp,
            topic=recorded.topic, partition=recorded.partition, offset=recorded.offset,
        )  # fmt: skip
    except BadInput as error:
        return error.reason
    return SILENT if change is None else OK


def in_line(record: Hostile) -> bytes | None:
    """Write a hostile record as a line of JSON, if it can be written as one."""
    key = b"null" if record.key is None else record.key
    value = b"null" if record.value is None else record.value
    if b"\n" in value or not value.strip() or record.key == b"":
        return None
    return b'{"topic":"%b","partition":0,"offset":1,"timestamp":2,"key":%b,"value":%b}' % (
        record.topic.encode(), key, value,
    )  # fmt: skip


JSON_REASONS = {"lone-surrogate", "too-deep", "wrong-type", "unknown-operation", "no-row-image", "unreadable-date",
                "too-big", SILENT, OK, FINDING}  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        r
        for r in HOSTILE
        if r.expect in JSON_REASONS and r.key != b"A1" and not (r.key or b"").startswith(b"[[") and r.value != b"null"
    ],
    ids=lambda record: record.name,
)
def test_a_recorded_hostile_record_ends_as_in_kafka(record: Hostile) -> None:
    raw = in_line(record)
    if raw is not None:
        assert reason(record, raw) == {FINDING: OK}.get(record.expect, record.expect)


@pytest.mark.parametrize("record", HOSTILE, ids=lambda record: record.name)
def test_a_recorded_hostile_record_gives_its_place_or_bad_input(record: Hostile) -> None:
    raw = in_line(record) or b""
    try:
        assert parse_recorded(raw).topic == record.topic
    except BadInput as error:
        assert error.reason == "not-json"  # noqa: PT017 - one of two promised ends


def test_not_a_number_in_a_line_is_refused_by_the_decoder() -> None:
    value = dump(envelope(app())).replace(b"2752", b"NaN").decode()
    recorded = parse_recorded(line(value))
    with pytest.raises(BadInput, match="not-json"):
        Decoder(mapping()).decode(key=None, value=recorded.value, timestamp=0, topic=APP, partition=0, offset=0)


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"[]", b"{}", b"null", b'{"topic":1}', b"\xff", b"[" * 100_000, b'{"topic":"t","partition":"x"}']
)
def test_a_line_without_a_place_is_bad_input(raw: bytes) -> None:
    with pytest.raises(BadInput):
        parse_recorded(raw)
