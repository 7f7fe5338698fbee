"""A whole system with a carrier's gateway: telephones write to it, and get what it answers."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.sms_faces import CmppFace
from bench.sms_gateway import Gateway
from stagewatch.topic_reader import read_topic
from tests.helpers.sms_gateways import account_url, put_together
from tests.helpers.sms_sentences import ACCESS
from tests.helpers.whole_system import PATIENCE_S, POLL_S, WholeSystem, whole_system

TOPICS = [
    "cdc.mkt.mkt_cons", "cdc.mkt.arrears", "cdc.card.card", "cdc.mkt.tg_manager", "cdc.mkt.mkt_app",
    "cdc.mkt.mkt_app_progress", "cdc.mkt.mkt_bill", "cdc.mkt.mkt_payment",
]  # fmt: skip
_ONE_PART = 140
_CUT = 134


@dataclass
class Texting:
    """What runs, seen from a telephone."""

    system: WholeSystem
    gateway: Gateway
    loop: asyncio.AbstractEventLoop
    _number: int = field(default=0)

    def write(self, mobile: str, text: str) -> list[bytes]:
        """Write to the utility from a telephone; give the frames, so that the gateway may say them again."""
        data = text.encode("utf-16-be")
        pieces = [data] if len(data) <= _ONE_PART else [data[n : n + _CUT] for n in range(0, len(data), _CUT)]
        frames = []
        for number, piece in enumerate(pieces, 1):
            self._number += 1
            header = bytes((5, 0, 3, self._number % 256 - number % 256 & 0xFF, len(pieces), number))
            is_long = len(pieces) > 1
            content = header + piece if is_long else piece
            frames.append(
                self.gateway.face.inbound(mobile, ACCESS, content, has_header=is_long, number=self._number)
            )  # fmt: skip
        self.say(frames)
        return frames

    def say(self, frames: list[bytes]) -> None:
        """Let the gateway deliver frames."""
        for frame in frames:
            self.loop.call_soon_threadsafe(self.gateway.say, frame)

    def answers(self, mobile: str) -> list[str]:
        """Give what a telephone has got."""
        return [each.text for each in put_together(list(self.gateway.phones)) if each.mobile[-11:] == mobile]

    def wait_for_answer(self, mobile: str, part: str) -> str:
        """Wait until a telephone has got something with `part` in it; give it."""
        self.wait(lambda: any(part in text for text in self.answers(mobile)), lambda: str(self.answers(mobile)))
        return next(text for text in self.answers(mobile) if part in text)

    def wait(self, is_so: Callable[[], bool], found: Callable[[], str] = str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, f"{found()}\n{self.system.worker.log_tail()}"
            time.sleep(POLL_S)

    def rows(self, topic: str) -> list[dict[str, Any]]:
        """Give the rows that the product wrote into a topic of its own."""
        records = read_topic(self.system.bootstrap, topic)
        return [json.loads(record.value or b"")["after"] for record in records]


@contextmanager
def texting(folder: Path) -> Iterator[Texting]:
    """Run one: Kafka, a worker, and a stand-in for China Mobile's gateway."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gateway = Gateway(CmppFace(2))
    try:
        asyncio.run_coroutine_threadsafe(gateway.__aenter__(), loop).result(PATIENCE_S)
        urls = json.dumps({"mobile": account_url("cmpp2", gateway.port)})
        with whole_system(folder, TOPICS, sms_carriers=urls, sms_url="") as system:
            yield Texting(system, gateway, loop)
        asyncio.run_coroutine_threadsafe(gateway.__aexit__(), loop).result(PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
