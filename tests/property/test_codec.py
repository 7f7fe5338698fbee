"""Encoding then decoding gives the same; foreign bytes give our own error."""

from contextlib import suppress
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import (
    BadInput,
    Change,
    IndicatorDelta,
    Mark,
    decode_alert,
    decode_change,
    decode_dead_letter,
    decode_delta,
    decode_indicator,
    decode_mark,
    decode_notice,
    encode_change,
    encode_delta,
    encode_mark,
    epoch_ms,
    from_wire,
    iso,
    to_wire,
)

settings.register_profile("codec", derandomize=True, deadline=None, max_examples=100)
steady = settings.get_profile("codec")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
int64 = st.integers(-(2**63), 2**63 - 1)
decimals = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from([Decimal("1.50"), Decimal("-0.00")])
fields = st.dictionaries(text, st.none() | st.booleans() | int64 | text | decimals, max_size=8)
changes = st.builds(Change, text, text, text, st.sampled_from(["c", "u", "d", "r"]), int64, int64, text,
                    st.integers(0, 2**31), st.integers(0, 2**62), fields)  # fmt: skip


@steady
@given(changes)
def test_change(change: Change) -> None:
    again = decode_change(encode_change(change))
    assert again == change
    assert [(name, type(value), str(value)) for name, value in again.fields.items()] == [
        (name, type(value), str(value)) for name, value in change.fields.items()
    ]


@steady
@given(changes)
def test_fields_inside_other_records(change: Change) -> None:
    assert from_wire(to_wire(change.fields)) == change.fields


@steady
@given(st.builds(Mark, text, st.integers(0, 2**31), int64, int64, st.booleans()))
def test_mark(mark: Mark) -> None:
    assert decode_mark(encode_mark(mark)) == mark


@steady
@given(st.builds(IndicatorDelta, text, text, text, text, int64, int64, int64))
def test_delta(delta: IndicatorDelta) -> None:
    assert decode_delta(encode_delta(delta)) == delta


@steady
@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_time(ms: int) -> None:
    assert epoch_ms(iso(ms)) == ms


@steady
@given(st.binary(max_size=200), st.sampled_from([decode_change, decode_mark, decode_delta, decode_alert, decode_notice,
                                                decode_indicator, decode_dead_letter]))  # fmt: skip
def test_foreign_bytes(data: bytes, decode: object) -> None:
    assert callable(decode)
    with suppress(BadInput):
        decode(data)


@steady
@given(changes, st.data())
def test_broken_change(change: Change, data: st.DataObject) -> None:
    raw = bytearray(encode_change(change))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadInput):
        decode_change(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
