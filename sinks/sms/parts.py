"""Cuts a text into parts and puts the parts of an inbound text together. Pure.

Everything leaves as UCS-2, which for us is UTF-16: 140 bytes a part, so 70 units alone and 67 behind the six
bytes of a user data header (3GPP TS 23.040, 9.2.3.24.1). Every text of ours is Chinese; the seven-bit alphabet
would never be used.
"""

import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from sinks.sms.channel import Inbound
from sinks.sms.wire import ASCII, BINARY, GB18030, UCS2, Piece

ALONE, WITH_HEADER = 70, 67
LONGEST_SIGNATURE = 34  # 32 characters, the most that a carrier registers, in brackets
LONGEST_CLUSTER = WITH_HEADER - LONGEST_SIGNATURE  # more than any emoji; so one always fits beside a signature
_MOST_PARTS = 255  # the header's field is one byte
_MOST_REFERENCES = 100_000  # destinations whose counter is remembered: 20 MB; a province's staff is fewer
_JOINER = "\u200d"
_SHORT, _WIDE = 0, 8
"""Elements of the header: concatenation with a reference of one byte, and of two."""
_HANGUL_LATER = range(0x1160, 0x1200)  # vowels and finals that stand on an initial


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """The bracketed name that every SMS must carry, and who writes it. It counts as text."""

    text: str = ""
    """Empty: the texts carry their own, or none is needed."""
    place: Literal["head", "tail"] = "head"
    by: Literal["us", "carrier"] = "us"
    """The carrier: it adds the registered one itself, and would double ours."""

    def written(self, text: str) -> str:
        """What we send: the text with the signature where it belongs, never twice."""
        if not self.text:
            return text
        bare = text.removeprefix(self.text) if self.place == "head" else text.removesuffix(self.text)
        if self.by == "carrier":
            return bare
        return self.text + bare if self.place == "head" else bare + self.text

    @property
    def reserved(self) -> tuple[int, int]:
        """Units that the carrier will add to the first and to the last part."""
        if self.by == "us":
            return 0, 0
        return (units(self.text), 0) if self.place == "head" else (0, units(self.text))


NO_SIGNATURE = Signature()


def units(text: str) -> int:
    """The length in UTF-16 units, which is what carriers count."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def split(text: str, signature: Signature = NO_SIGNATURE) -> list[str]:
    """The parts that a text leaves as, in order; one if it is short, and never none.

    A part never ends inside a surrogate pair, and inside a combining sequence only if that is longer
    than any real one.
    What does not fit into 255 parts is cut off.
    """
    written, (first, last) = signature.written(text), signature.reserved
    if units(written) + first + last <= ALONE:
        return [written]
    parts, room, part = [], WITH_HEADER - first, ""
    for cluster in _clusters(written):
        if units(cluster) > room:
            parts.append(part)
            part, room = "", WITH_HEADER
        part, room = part + cluster, room - units(cluster)
    parts.append(part)
    if last and units(part) + last > WITH_HEADER:
        parts[-1:] = _moved(part, last)
    return parts[:_MOST_PARTS]


def _moved(part: str, last: int) -> tuple[str, str]:
    """The last part in two, of which the second has room for what the carrier adds."""
    clusters, tail = list(_clusters(part)), ""
    while len(clusters) > 1 and units(clusters[-1]) + units(tail) + last <= WITH_HEADER:
        tail = clusters.pop() + tail
    return "".join(clusters), tail


def _clusters(text: str) -> Iterator[str]:
    """What must stay together, never longer than half a part: a letter with its marks, a joined emoji, a flag."""
    cluster = ""
    for char in text:
        if cluster and not (_belongs(char, cluster) and units(cluster) + units(char) <= LONGEST_CLUSTER):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _belongs(char: str, cluster: str) -> bool:
    """Whether a character continues what stands before it (the main rules of Unicode annex 29)."""
    if char < "\u0300":
        return char == "\n" and cluster == "\r"
    is_mark = unicodedata.category(char) in {"Mn", "Mc", "Me"} or char == _JOINER
    is_skin = "\U0001f3fb" <= char <= "\U0001f3ff"
    is_flag = _is_flag_letter(char) and len(cluster) == 1 and _is_flag_letter(cluster)
    return is_mark or is_skin or is_flag or ord(char) in _HANGUL_LATER or cluster.endswith(_JOINER)


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


class References:
    """The number that parts of one message share: counted per destination, so that no two messages mix.

    Never random: of 256 values two of a day's messages to one phone would be equal soon.
    """

    def __init__(self, start: int) -> None:
        """`start` is where a destination begins; epoch seconds, so that a restart does not repeat itself."""
        self._start = start
        self._last: OrderedDict[str, int] = OrderedDict()

    def next(self, mobile: str) -> int:
        """The next one for a destination, 0 to 255."""
        reference = (self._last.pop(mobile, self._start) + 1) % 256
        self._last[mobile] = reference
        if len(self._last) > _MOST_REFERENCES:
            self._last.popitem(last=False)
        return reference


def content_of(part: str, reference: int, number: int, total: int) -> bytes:
    """A part's bytes on the wire: behind its header, if there are more."""
    data = part.encode("utf-16-be")
    return data if total == 1 else bytes((5, 0, 3, reference, total, number)) + data


@dataclass(slots=True)
class _Held:
    since: float
    pieces: dict[int, Piece] = field(default_factory=dict)

    def join(self, *, is_whole: bool) -> Inbound:
        return _inbound([self.pieces[number] for number in sorted(self.pieces)], is_whole=is_whole)


class Assembly:
    """Inbound messages of which parts are missing. `now` is any clock in seconds.

    A message's key is the sender, our number and its reference; the parts may come in any order and twice.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._held: dict[tuple[str, str, int, int], _Held] = {}

    def __len__(self) -> int:
        """The messages that are not whole."""
        return len(self._held)

    def take(self, piece: Piece, now: float) -> Inbound | None:
        """Take a piece in; give the message that it completes."""
        header, _data = _header_of(piece)
        if header is None:
            return _inbound([piece], is_whole=True)
        reference, total, number = header
        key = (piece.mobile, piece.to, reference, total)
        held = self._held.setdefault(key, _Held(now))
        held.pieces[number] = piece
        return self._held.pop(key).join(is_whole=True) if len(held.pieces) == total else None

    def overdue(self, now: float) -> Iterator[Inbound]:
        """Give up on what waited too long: better a torso that a person reads than nothing."""
        for key in [key for key, held in self._held.items() if now - held.since >= self._patience_s]:
            yield self._held.pop(key).join(is_whole=False)


def _inbound(pieces: list[Piece], *, is_whole: bool) -> Inbound:
    first, contents = pieces[0], [_header_of(piece)[1] for piece in pieces]
    if len({piece.coding for piece in pieces}) == 1:
        text = decoded(b"".join(contents), first.coding)  # phones do cut surrogate pairs
    else:
        text = "".join(decoded(data, piece.coding) for piece, data in zip(pieces, contents, strict=True))
    return Inbound(carrier_id=first.carrier_id, mobile=first.mobile, to=first.to, text=text, is_whole=is_whole)


def decoded(data: bytes, coding: int) -> str:
    """The text of a content; what cannot be read shows as U+FFFD. Binary shows as hexadecimal digits."""
    match coding:
        case _ if coding == UCS2:
            return data.decode("utf-16-be", "replace")
        case _ if coding == GB18030:
            return data.decode("gb18030", "replace")
        case _ if coding == BINARY:
            return data.hex()
        case _ if coding == ASCII:
            return data.decode("ascii", "replace")
        case _:
            return data.decode("latin-1")


def _header_of(piece: Piece) -> tuple[tuple[int, int, int] | None, bytes]:
    """(reference, total, number) if the piece is one of several, and its text without the header."""
    content = piece.content
    if not piece.has_header or not content or content[0] >= len(content):
        return None, content
    data, at, end = content[content[0] + 1 :], 1, content[0] + 1
    while at + 2 <= end:
        element, length = content[at], content[at + 1]
        value = content[at + 2 : min(at + 2 + length, end)]
        if (element, len(value)) in {(_SHORT, 3), (_WIDE, 4)}:
            reference, total, number = int.from_bytes(value[:-2]), value[-2], value[-1]
            return ((reference, total, number) if 1 <= number <= total and total > 1 else None), data
        at += 2 + length
    return None, data
