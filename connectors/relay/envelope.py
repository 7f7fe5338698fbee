r"""One numbered, signed batch as bytes, and its acknowledgement: all that ever crosses between two networks.

`<HMAC-SHA256, hexadecimal> <kind>\n<zlib of JSON>`. The signature covers kind and body, and is checked before anything
is unpacked. Nothing that crosses is code, a path or a query.
"""

import hashlib
import hmac
import zlib
from typing import Literal, TypeVar

import msgspec

from schemas import BadInput

MOST_BYTES = 64 << 20
"""Largest batch unpacked: what a signed sender would never make, a broken one may."""
MOST_RECORDS = 500
"""Of one batch: a file of some 100 KB, and a link that fails has little to repeat."""
MOST_RAW_BYTES = 16 << 20
"""Of one batch, so that its JSON (base64 takes a third more) with one more record of the largest size that brokers
take stays below `MOST_BYTES`."""
_SIGNATURE = 64  # hexadecimal digits of SHA-256


def place_in(topic: str, partition: int, incarnation: str) -> str:
    """Name a partition of one life of a topic; without an incarnation only `topic:partition`."""
    return f"{topic}:{partition}@{incarnation}" if incarnation else f"{topic}:{partition}"


def bare(place: str) -> str:
    """Give `topic:partition` of a place, whichever life of the topic it is of."""
    return place.partition("@")[0]


class RelayedRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record as it stood outside."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """When it was entered outside: the Kafka timestamp there, epoch ms."""
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes]] = []
    incarnation: str = ""
    """The broker's id of the topic: another one where it was lost and made anew. Empty: the broker gives none (Kafka
    before 2.8), or an older program does not say."""

    @property
    def place(self) -> str:
        """Where it stands outside, as positions name it: `topic:partition@incarnation`."""
        return place_in(self.topic, self.partition, self.incarnation)

    @property
    def identity(self) -> str:
        """What tells it from every other of its channel: a topic that was lost and made anew counts from 0 again."""
        return f"{self.place}:{self.offset}:{self.timestamp}"

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        own = sum(len(name) + len(value) for name, value in self.headers)
        return own + len(self.key or b"") + len(self.value or b"")


class Crossing(msgspec.Struct, frozen=True):
    """One batch on its way; without records it says that the link is alive."""

    channel: str
    epoch: int
    """Which life of the sender's state counted: grows when the state is lost and begins anew."""
    number: int
    """From 1 in each epoch, without gaps: the receiver applies them in this order and no other."""
    sent_at: int
    """First put on the way, epoch ms; the sender's clock."""
    records: list[RelayedRecord] = []
    previous: int = 0
    """`sent_at` of the batch before it in this epoch; 0: there is none, or an older program does not say. A sender
    whose state was put back from a copy gives its numbers again: this tells them from those that were applied."""


class Acknowledgement(msgspec.Struct, frozen=True):
    """That everything up to a number of an epoch has been applied."""

    channel: str
    epoch: int
    number: int
    received_at: int
    """Epoch ms; the receiver's clock."""
    sent_at: int = 0
    """Of the batch with that number, as it said; 0: an older program does not say."""


_T = TypeVar("_T", Crossing, Acknowledgement)
Kind = Literal["batch", "ack"]
_KINDS: dict[type[object], Kind] = {Crossing: "batch", Acknowledgement: "ack"}
_encode = msgspec.json.Encoder().encode


def seal(what: Crossing | Acknowledgement, secret: str) -> bytes:
    """Give the bytes that cross."""
    body = _KINDS[type(what)].encode() + b"\n" + zlib.compress(_encode(what), 6)
    return _signature(body, secret) + b" " + body


def unseal(data: bytes, kind: type[_T], *, channel: str, secret: str) -> _T:
    """Give what crossed.

    Raises `BadInput` for what is not signed with our key, is of another channel or kind, or broken.
    """
    signature, body = data[:_SIGNATURE], data[_SIGNATURE + 1 :]
    if not hmac.compare_digest(signature, _signature(body, secret)):
        raise BadInput("bad-signature", "not signed with this channel's key")
    name, _, packed = body.partition(b"\n")
    if name != _KINDS[kind].encode():
        raise BadInput("wrong-kind", f"no {_KINDS[kind]}")
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise BadInput("too-big", f"more than {MOST_BYTES} bytes")
        found = msgspec.json.decode(text, type=kind)
    except (zlib.error, msgspec.DecodeError, ValueError) as error:
        raise BadInput("not-json", str(error)) from None
    if found.channel != channel:
        raise BadInput("wrong-channel", f"of channel '{found.channel[:64]}', not '{channel}'")
    return found


def _signature(body: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
