"""The carriers of `bench sms`, in a process of their own: three gateways that behave, and count.

Run as `python -m bench.sms_gateways`: says its ports in one line of JSON, ends when its standard input does, and
then says what it has counted in another.
"""

import asyncio
import sys
from collections.abc import Callable

import msgspec

from bench.sms_face import Face, Said
from bench.sms_faces import CmppFace, SgipFace, SmgpFace
from bench.sms_gateway import TAKE, Gateway, Reaction

CARRIERS: dict[str, Callable[[], Face]] = {"cmpp": lambda: CmppFace(2), "sgip": SgipFace, "smgp": SmgpFace}
"""China's three, by protocol."""
DELAY_S = 0.005
"""Until an answer: so much is usual between two cities, and without it no window would ever fill."""
FIRST_MOBILE = 13_000_000_000
"""The n-th SMS goes to this number plus n, so that one that comes twice is noticed."""


class Ports(msgspec.Struct):
    """Where the carriers listen, by protocol."""

    ports: dict[str, int]


class Counted(msgspec.Struct):
    """What they took."""

    taken: int
    twice: int
    confirmed: int
    """Reports that the worker has accepted."""
    window: int
    """The most that waited for an answer on one connection."""


class Seen:
    """Which numbers were told already, one bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.twice = 0

    def __call__(self, said: Said) -> Reaction:
        """Take everything, and notice what comes twice."""
        at, bit = divmod(int(said.mobile) - FIRST_MOBILE, 8)
        if at >= len(self._bits):
            self._bits.extend(bytes(at + 1 - len(self._bits) + 65_536))
        self.twice += self._bits[at] >> bit & 1
        self._bits[at] |= 1 << bit
        return TAKE


async def serve() -> None:
    """Be the carriers until standard input ends."""
    seen = Seen()
    gateways = {name: Gateway(face(), react=seen, keeps=False, delay_s=DELAY_S) for name, face in CARRIERS.items()}
    for gateway in gateways.values():
        await gateway.__aenter__()
    _say(Ports({name: gateway.port for name, gateway in gateways.items()}))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    _say(Counted(
        taken=sum(gateway.count for gateway in gateways.values()), twice=seen.twice,
        confirmed=sum(gateway.accepted for gateway in gateways.values()),
        window=max(gateway.most_unanswered for gateway in gateways.values()),
    ))  # fmt: skip
    for gateway in gateways.values():
        await gateway.__aexit__()


def _say(what: Ports | Counted) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(serve())
