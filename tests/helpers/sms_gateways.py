"""Stand-ins for carriers' gateways, one for each protocol, as peers of the channel's contract; and their faults."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import get_args

from bench.server_process import HOST
from bench.sms_face import Face, Said
from bench.sms_faces import CmppFace, SgipFace, SmgpFace, SmppFace
from bench.sms_gateway import Gateway, Reaction, When
from sinks.sms.cmpp import Cmpp, CmppAccount
from sinks.sms.sgip import Sgip, SgipAccount
from sinks.sms.smgp import Smgp, SmgpAccount
from sinks.sms.smpp import Smpp, SmppAccount
from sinks.sms.wire import Wire
from tests.helpers.sms_sentences import ACCESS, SECRET, Taken

FACES: dict[str, Callable[[], Face]] = {
    "cmpp2": lambda: CmppFace(2),
    "cmpp3": lambda: CmppFace(3),
    "sgip": SgipFace,
    "smgp": SmgpFace,
    "smpp": SmppFace,
}
USER = "901234"
WIRES: dict[str, Callable[[], Wire]] = {
    "cmpp2": lambda: Cmpp(CmppAccount(sp_id=USER, secret=SECRET, access_number=ACCESS), now=time.time),
    "cmpp3": lambda: Cmpp(CmppAccount(sp_id=USER, secret=SECRET, access_number=ACCESS, version=3), now=time.time),
    "sgip": lambda: Sgip(
        SgipAccount(node=3025000001, name=USER, secret=SECRET, corp_id="1", access_number=ACCESS), now=time.time
    ),
    "smgp": lambda: Smgp(SmgpAccount(client_id=USER, secret=SECRET, access_number=ACCESS), now=time.time),
    "smpp": lambda: Smpp(SmppAccount(system_id=USER, secret=SECRET, access_number=ACCESS)),
}
ACCOUNTS = {
    "cmpp2": "cmpp://{user}:{secret}@{host}:{port}?version=2&retry_s=0.01&access={access}",
    "cmpp3": "cmpp://{user}:{secret}@{host}:{port}?version=3&retry_s=0.01&access={access}",
    "sgip": "sgip://{user}:{secret}@{host}:{port}?node=3025000001&corp=00001&retry_s=0.01&access={access}",
    "smgp": "smgp://{user}:{secret}@{host}:{port}?retry_s=0.01&access={access}",
    "smpp": "smpp://{user}:{secret}@{host}:{port}?retry_s=0.01&access={access}",
}


def account_url(protocol: str, port: int, secret: str = SECRET) -> str:
    """The URL of a gateway on this machine."""
    return ACCOUNTS[protocol].format(user=USER, secret=secret, host=HOST, port=port, access=ACCESS)


def put_together(parts: list[Said]) -> list[Taken]:
    """The whole messages of what came in parts, in the order of their first parts."""
    found: dict[tuple[str, int], dict[int, Said]] = {}
    for at, part in enumerate(parts):
        reference, total, number = part.place
        key = (part.mobile, reference if total > 1 else -1 - at)
        found.setdefault(key, {})[number] = part
    return [
        Taken(first.mobile, first.source, "".join(pieces[n].text for n in sorted(pieces)), len(pieces))
        for pieces in found.values()
        if (first := next(iter(pieces.values()))).place[1] == len(pieces)
    ]


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in as the contract's peer."""

    protocol: str
    gateway: Gateway

    def url(self, secret: str = SECRET) -> str:
        return account_url(self.protocol, self.gateway.port, secret)

    async def taken(self, count: int) -> list[Taken]:
        await self.gateway.until(lambda: len(put_together(self.gateway.phones)) >= count)
        return put_together(self.gateway.phones)

    async def write_in(self, mobile: str, to: str, text: str) -> None:
        for number, (content, has_header) in enumerate(_inbound_parts(text), 1):
            self.gateway.say(self.gateway.face.inbound(mobile, to, content, has_header=has_header, number=number))

    async def confirmed(self, count: int) -> None:
        await self.gateway.until(lambda: self.gateway.accepted >= count)


def _inbound_parts(text: str) -> list[tuple[bytes, bool]]:
    """Cut as phones cut: by bytes, through surrogate pairs; sent in the wrong order."""
    data = text.encode("utf-16-be")
    if len(data) <= 140:
        return [(data, False)]
    pieces = [data[at : at + 134] for at in range(0, len(data), 134)]
    total = len(pieces)
    return [(bytes((5, 0, 3, 7, total, n)) + piece, True) for n, piece in reversed(list(enumerate(pieces, 1)))]


@asynccontextmanager
async def standin(protocol: str) -> AsyncIterator[StandIn]:
    """A stand-in that behaves, until it is told otherwise."""
    async with Gateway(FACES[protocol]()) as gateway:
        yield StandIn(protocol, gateway)


class Misfortunes:
    """What a gateway makes of each submission, drawn from a seed: every fault, and reports in every disorder.

    Whatever it does, the phone has a part at most once for each time that it was sent.
    """

    def __init__(self, seed: int, face: Face, share: float = 0.5) -> None:
        """`share`: of the submissions that go wrong."""
        self._random = random.Random(seed)
        self._face = face
        self._share = share

    def __call__(self, _said: Said) -> Reaction:
        draw = self._random
        report = draw.choice([*get_args(When), None])
        if draw.random() >= self._share:
            return Reaction(report=report)
        return draw.choice(
            [
                Reaction(result=self._face.busy, is_taken=False, report=None),
                Reaction(result=self._face.refused, is_taken=False, report=None),
                Reaction(result=None, report=report),  # taken, no word
                Reaction(result=None, is_taken=False, report=None),  # lost
                Reaction(dies="before", report=report),
                Reaction(dies="before", is_taken=False, report=None),
                Reaction(dies="after", report=report),
                Reaction(report=report, stat="UNDELIV", is_taken=False),
            ]
        )


async def soon(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something has become true; for states that nothing tells of."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
