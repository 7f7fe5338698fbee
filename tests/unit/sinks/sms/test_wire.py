"""What the protocols share: frames, times, states, sequence numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.sms.channel import Delivery
from sinks.sms.wire import (
    BadFrame,
    Counter,
    Framer,
    delivery_of,
    expiry,
    field,
    minute_of,
    national,
    receipt,
    stamp,
    text_of,
)


@given(st.lists(st.binary(min_size=5, max_size=40), max_size=8), st.lists(st.integers(0, 300), max_size=12))
def test_frames_come_out_whole_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    frames = [(len(body) + 4).to_bytes(4) + body for body in bodies]
    stream, framer, found = b"".join(frames), Framer(), list[bytes]()
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for begin, end in pairwise(places):
        found += framer.feed(stream[begin:end])
    assert found == frames


@pytest.mark.parametrize("length", [0, 8, 65_537, 0x48545450])
def test_a_length_that_no_frame_has_is_not_waited_for(length: int) -> None:
    with pytest.raises(BadFrame):
        list(Framer().feed(length.to_bytes(4)))


def test_sequence_numbers_go_round_without_zero() -> None:
    counter = Counter(0xFFFF_FFFE)
    assert [counter.next(), counter.next(), counter.next()] == [0xFFFF_FFFF, 1, 2]


def test_times_are_beijings() -> None:
    assert stamp(1_772_294_400) == "0301000000"
    assert expiry(1_772_294_400_000) == "260301000000032+"
    assert expiry(None) == ""
    assert minute_of("2603010000") == 1_772_294_400_000


@pytest.mark.parametrize("digits", ["", "26030100", "2613010000", "26030100xx", "２６０３０１００００"])
def test_what_is_no_time_is_none(digits: str) -> None:
    assert minute_of(digits) is None


@pytest.mark.parametrize(
    ("stat", "delivery"),
    [("DELIVRD", Delivery.DELIVERED), ("EXPIRED", Delivery.EXPIRED), ("UNKNOWN", Delivery.PENDING),
     ("ACCEPTD", Delivery.PENDING), ("UNDELIV", Delivery.FAILED), ("MK:0012", Delivery.FAILED), ("", Delivery.FAILED)],
)  # fmt: skip
def test_states(stat: str, delivery: Delivery) -> None:
    assert delivery_of(stat) is delivery


def test_a_receipt_without_a_state_is_not_final() -> None:
    assert receipt("1", "2", b"id:1 nothing else").delivery is Delivery.PENDING


def test_fields_are_filled_and_cut() -> None:
    assert field("ab", 4) == b"ab\0\0"
    assert field("abcde", 4) == b"abcd"
    assert text_of(b"ab\0\xff") == "ab"
    assert text_of(b"ab  ") == "ab"


@pytest.mark.parametrize(
    ("number", "expected"),
    [("8613800000001", "13800000001"), ("+8613800000001", "13800000001"), ("13800000001", "13800000001"),
     ("10086", "10086"), ("861380000000", "861380000000"), ("+441234", "441234")],
)  # fmt: skip
def test_numbers_lose_chinas_code_and_nothing_else(number: str, expected: str) -> None:
    assert national(number) == expected
