"""How texts are cut and put together."""

import pytest

from sinks.sms.parts import Assembly, References, Signature, content_of, decoded, split, units
from sinks.sms.wire import Piece

SIGN = "【业扩管控】"


def lengths(text: str, signature: Signature | None = None) -> list[int]:
    return [units(part) for part in split(text, signature or Signature())]


def test_a_text_of_70_units_is_one_part_and_of_71_two() -> None:
    assert lengths("字" * 70) == [70]
    assert lengths("字" * 71) == [67, 4]


def test_160_characters_are_67_and_67_and_26() -> None:
    assert lengths("字" * 160) == [67, 67, 26]


def test_no_text_is_one_empty_part() -> None:
    assert split("") == [""]


@pytest.mark.parametrize(
    "inseparable",
    ["𠮷", "👍🏽", "👨‍👩‍👧", "🇨🇳", "e\u0301", "a\u0300\u0301\u0302", "कि", "㍿\ufe00", "葛\U000e0100", "\r\n"],
    ids=lambda text: text.encode("unicode_escape").decode(),
)
def test_what_belongs_together_is_not_cut(inseparable: str) -> None:
    for before in range(60, 68):
        text = "字" * before + inseparable * 40
        parts = split(text)
        assert "".join(parts) == text
        assert all(units(part) <= 67 for part in parts)
        assert "".join(parts[1:]).startswith(inseparable)
        for part in parts:
            assert part.removeprefix("字" * before).replace(inseparable, "") == ""


def test_a_sequence_longer_than_any_real_one_is_cut_between_its_characters() -> None:
    text = "e" + "\u0301" * 200
    assert "".join(split(text)) == text
    assert all(units(part) <= 67 for part in split(text))


def test_our_signature_is_written_once_and_counted() -> None:
    ours = Signature(text=SIGN)
    assert split("字" * 64, ours) == [SIGN + "字" * 64]
    assert split(SIGN + "字" * 64, ours) == [SIGN + "字" * 64]
    assert lengths("字" * 65, ours) == [67, 4]
    assert split("完", Signature(text=SIGN, place="tail")) == ["完" + SIGN]


def test_a_signature_that_the_carrier_adds_is_not_written_and_yet_counted() -> None:
    theirs = Signature(text=SIGN, by="carrier")
    assert split(SIGN + "字" * 64, theirs) == ["字" * 64]
    assert lengths("字" * 65, theirs) == [61, 4]
    at_the_end = Signature(text=SIGN, by="carrier", place="tail")
    assert lengths("字" * 64, at_the_end) == [64]
    assert lengths("字" * 67 + "末" * 61, at_the_end) == [67, 61]
    assert lengths("字" * 67 + "末" * 62, at_the_end) == [67, 1, 61]


def test_references_count_per_destination_and_begin_elsewhere_after_a_restart() -> None:
    references = References(254)
    assert [references.next("1") for _ in range(3)] == [255, 0, 1]
    assert references.next("2") == 255
    assert References(255).next("1") == 0


def piece(content: bytes, *, mobile: str = "1", coding: int = 8, has_header: bool = True) -> Piece:
    return Piece("id", mobile, "1069", content, coding, has_header, b"answer")


def test_parts_in_any_order_and_twice_become_one_message() -> None:
    assembly = Assembly(30)
    contents = [content_of(part, 7, n, 3) for n, part in enumerate("甲乙丙", 1)]
    for content in (contents[2], contents[0], contents[2]):
        assert assembly.take(piece(content), 0) is None
    whole = assembly.take(piece(contents[1]), 0)
    assert whole is not None
    assert (whole.text, whole.is_whole) == ("甲乙丙", True)
    assert len(assembly) == 0


def test_a_surrogate_pair_that_a_phone_cut_is_whole_again() -> None:
    assembly = Assembly(30)
    data = "甲𠮷".encode("utf-16-be")
    assembly.take(piece(bytes((5, 0, 3, 7, 2, 1)) + data[:4]), 0)
    whole = assembly.take(piece(bytes((5, 0, 3, 7, 2, 2)) + data[4:]), 0)
    assert whole is not None
    assert whole.text == "甲𠮷"


def test_parts_of_different_senders_and_wide_references_do_not_mix() -> None:
    assembly = Assembly(30)
    assert assembly.take(piece(b"\x06\x08\x04\x01\x07\x02\x01" + b"\0a"), 0) is None
    assert assembly.take(piece(b"\x05\x00\x03\x07\x02\x02" + b"\0b"), 0) is None
    assert assembly.take(piece(b"\x06\x08\x04\x01\x07\x02\x02" + b"\0b", mobile="2"), 0) is None
    assert assembly.take(piece(b"\x06\x08\x04\x01\x07\x02\x02" + b"\0b"), 0) is not None
    assert len(assembly) == 2


def test_what_stays_incomplete_is_given_up_after_its_time_as_a_torso() -> None:
    assembly = Assembly(30)
    assembly.take(piece(content_of("甲", 7, 1, 2)), 100)
    assert list(assembly.overdue(129)) == []
    (message,) = assembly.overdue(130)
    assert (message.text, message.is_whole) == ("甲", False)


@pytest.mark.parametrize(
    "content",
    [b"\xff" + b"\0a", b"\x05\x00\x03\x07\x02\x03\0a", b"\x05\x00\x03\x07\x00\x00\0a", b"\x02\x70\x00\0a", b""],
)
def test_a_header_that_is_none_or_says_nonsense_does_not_hold_a_message_back(content: bytes) -> None:
    assert Assembly(30).take(piece(content), 0) is not None


def test_codings() -> None:
    assert decoded("签收".encode("gb18030"), 15) == "签收"
    assert decoded(b"R", 0) == "R"
    assert decoded(b"\x01\xff", 4) == "01ff"
    assert decoded(b"\xe9", 3) == "é"
    assert "\ufffd" in decoded(b"\xd8\x00\x00", 8)
