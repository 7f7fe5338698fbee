"""Cutting a text into parts and putting them together is identity, and no part is too long."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sinks.sms import Signature, split
from sinks.sms.parts import Assembly, References, content_of, units
from sinks.sms.wire import Piece

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("𠮷👨👩👧\u200d\u0301\ufe0f🏽🇨🇳业扩"),
    ),
    max_size=400,
)
SIGNATURES = st.builds(
    Signature,
    text=st.sampled_from(["", "【业扩】", "【" + "长" * 32 + "】"]),
    place=st.sampled_from(["head", "tail"]),
    by=st.sampled_from(["us", "carrier"]),
)


@given(TEXTS, SIGNATURES)
def test_every_part_fits_with_what_the_carrier_adds_and_nothing_is_lost(text: str, signature: Signature) -> None:
    parts = split(text, signature)
    assert "".join(parts) == signature.written(text)
    first, last = signature.reserved
    sizes = [units(part) for part in parts]
    sizes[0] += first
    sizes[-1] += last
    assert max(sizes) <= (70 if len(parts) == 1 else 67)
    assert all(part.encode("utf-16-be").decode("utf-16-be") == part for part in parts)


@given(TEXTS, st.randoms())
def test_what_was_cut_is_whole_again_in_whatever_order_it_comes(text: str, random: Random) -> None:
    parts = split(text)
    reference = References(7).next("1")
    pieces = [
        Piece("id", "1", "2", content_of(part, reference, n, len(parts)), 8, len(parts) > 1, b"")
        for n, part in enumerate(parts, 1)
    ]
    random.shuffle(pieces)
    assembly = Assembly(30)
    taken = [assembly.take(piece, 0) for piece in pieces]
    assert [whole.text for whole in taken if whole is not None] == [text]
