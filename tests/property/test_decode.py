"""Decoding never breaks: for any bytes it returns or raises our own error, and always the same."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import REASONS, BadInput, Change, Decoder, decode_change, encode_change, parse_recorded
from schemas.columns import LocalZone, UnreadableDate, converter
from tests.helpers.debezium_schema import TEXT, wrap
from tests.helpers.decoding import AT, mapping
from tests.helpers.hostile_wire import APP, HOSTILE, PROGRESS, app, dump, envelope, progress

settings.register_profile("decode", derandomize=True, deadline=None, max_examples=100)
steady = settings.get_profile("decode")

DECODERS = {topic: Decoder(mapping(topic)) for topic in (APP, PROGRESS, "cdc.lean.lean_neg_trans")}
SEEDS = [record.value for record in HOSTILE if record.value and len(record.value) < 5_000]
SEEDS += [dump(envelope(progress())), wrap(envelope(app()), dict.fromkeys(app(), TEXT))]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates().map(str),
    st.datetimes().map(str), st.sampled_from(["infinity", "9999-12-31", "1900-01-01T00:00:00Z", "\ud800", "MDk="]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
columns = st.sampled_from([*app(), *progress(), "APP_NO", "Progress_Id", "nl_no", "plan_finish_at", "max_load_rate"])
rows = st.dictionaries(columns | st.text(max_size=9), values, max_size=12)
sources = st.none() | st.dictionaries(
    st.sampled_from(["lsn", "scn", "commit_scn", "txSeq", "file", "pos", "row", "snapshot"]), values, max_size=4
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["c", "u", "d", "r", "t", "m", "x"]) | values,
        "before": st.none() | rows | values,
        "after": rows | values,
        "source": sources | values,
        "schema": values,
        "payload": values,
    },
)


def outcome(value: bytes | None, key: bytes | None = None, topic: str = APP, decoder: Decoder | None = None) -> Any:
    """Give the change, None, or the reason; anything else that is raised fails the test."""
    try:
        change = (decoder or DECODERS[topic]).decode(
            key=key, value=value, headers=None, timestamp=AT, topic=topic, partition=0, offset=1
        )
    except BadInput as error:
        assert error.reason in REASONS  # noqa: PT017 - every other error fails the test by itself
        return error.reason
    if change is not None:
        assert decode_change(encode_change(change)) == change
        assert change.op == "d" or change.instance
        assert change.row
    return change


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode()  # with escapes, so that lone surrogates and NaN can be written


@steady
@given(st.binary(max_size=300), st.none() | st.binary(max_size=40), st.sampled_from(sorted(DECODERS)))
def test_any_bytes(value: bytes, key: bytes | None, topic: str) -> None:
    outcome(value, key, topic)


@steady
@given(values, st.none() | values, st.sampled_from(sorted(DECODERS)))
def test_any_json(value: Any, key: Any, topic: str) -> None:
    outcome(text_of(value), text_of(key), topic)


@steady
@given(envelopes, st.none() | rows, st.sampled_from(sorted(DECODERS)))
def test_anything_that_looks_like_an_envelope(value: Any, key: Any, topic: str) -> None:
    outcome(text_of(value), text_of(key), topic)


@steady
@given(st.data())
def test_any_record_with_some_bytes_changed(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3) | st.sampled_from(
            [b'"', b"{", b"}", b"[", b",", b":", b"\\", b"\\ud800", b"null", b"1e9", b"\xff", b"-"]))  # fmt: skip
        raw = raw or bytearray(b" ")
    for topic in DECODERS:
        outcome(bytes(raw), b'{"app_no":"A1"}', topic)


@steady
@given(envelopes, st.none() | rows)
def test_a_decoder_with_a_past_decodes_like_a_new_one(value: Any, key: Any) -> None:
    fresh = Decoder(mapping())
    first = outcome(text_of(value), text_of(key), decoder=fresh)
    assert outcome(text_of(value), text_of(key)) == first
    assert outcome(text_of(value), text_of(key), decoder=fresh) == first


@steady
@given(st.sampled_from(["c", "u", "r", "d"]), rows, st.booleans())
def test_a_wrapped_record_says_what_a_bare_one_says(op: str, row: dict[str, Any], is_delete_image: bool) -> None:  # noqa: FBT001
    value = envelope(row, op=op, before=row if is_delete_image else None)
    bare = outcome(text_of(value))
    schema = json.loads(wrap({}, dict.fromkeys(app(), TEXT)))["schema"]
    compact = json.dumps({"schema": schema, "payload": value}, separators=(",", ":")).encode()
    spaced = json.dumps({"payload": value, "schema": schema}).encode()
    decoder = Decoder(mapping())
    for wrapped in (compact, compact, spaced, compact):
        assert outcome(wrapped, decoder=decoder) == bare


@steady
@given(envelopes, st.none() | rows)
def test_a_recorded_line_says_what_the_record_said(value: Any, key: Any) -> None:
    parts = {"topic": APP, "partition": 0, "offset": 1, "timestamp": AT, "key": key, "value": value}
    recorded = parse_recorded(text_of(parts))
    assert outcome(recorded.value, recorded.key) == outcome(text_of(value), None if key is None else text_of(key))


dates = st.from_regex(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")
dateish = st.text(max_size=30) | dates | st.integers() | st.floats().map(str) | st.datetimes().map(str)


@steady
@given(dateish, st.sampled_from(["timestamp", "date"]), st.sampled_from(["Asia/Shanghai", "Pacific/Kiritimati"]))
def test_any_text_or_number_is_a_time_or_unreadable(value: Any, column: Any, zone: str) -> None:
    try:
        ms = converter(column, LocalZone(zone), "us")(value)
    except UnreadableDate:
        return
    assert isinstance(ms, int)
    assert -62_135_769_600_000 <= ms <= 253_402_300_799_999


@steady
@given(st.datetimes(allow_imaginary=False, timezones=st.timezones()))
def test_a_time_with_a_zone_is_that_moment(moment: Any) -> None:
    offset = moment.utcoffset()
    if offset.microseconds or offset.seconds % 60:
        return  # ISO 8601 writes whole minutes
    expected = (moment.replace(tzinfo=None) - type(moment)(1970, 1, 1) - offset) // type(offset)(milliseconds=1)
    ms = converter("timestamp", LocalZone("Asia/Shanghai"), "us")(moment.isoformat())
    assert ms == min(expected, 253_402_300_799_999) or expected < -62_135_596_800_000


def test_changes_of_real_shape_come_out() -> None:
    assert isinstance(outcome(dump(envelope(app()))), Change)
