"""Calls the sinks: at most so many messages at once per sink, none for longer than its time-out.

One for the whole worker, shared by the pipelines of all its partitions. A message is begun only when
there is room for it: one that waited after it was marked `sending` would become unknown in a crash.
"""

import asyncio
import logging
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from schemas.notice import Channel
from sinks.delivery import Delivery
from sinks.sink import Outcome, OutcomeUnknown, Sink, Unknown
from sinks.wording import compose

_log = logging.getLogger(__name__)
_GRACE_S = 1.0  # a sink ends by itself at its time-out, and knows more than we do about how


class Senders:
    """The sinks by channel, with the room that each has left."""

    def __init__(self, sinks: Mapping[Channel, Sink], *, concurrency: int = 16, zone: str = "Asia/Shanghai") -> None:
        """`concurrency`: messages on their way at once per sink. 16 × 10 a second is 5 times the peak we know.

        `zone`: in which mails show times.
        """
        self._sinks = dict(sinks)
        self._concurrency = concurrency
        self._zone = ZoneInfo(zone)
        self._busy: dict[Channel, set[str]] = {channel: set() for channel in sinks}

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels that have a sink."""
        return frozenset(self._sinks)

    def room(self) -> dict[Channel, int]:
        """How many messages each channel can take now."""
        return {channel: self._concurrency - len(self._busy[channel]) for channel in self._sinks}

    def reserve(self, delivery: Delivery) -> None:
        """Take up room for a delivery, before anything is awaited; `send` or `release` gives it back."""
        self._busy[delivery.channel].add(delivery.msg_id)

    def release(self, delivery: Delivery) -> None:
        """Give the room of a delivery back, because it was sent or will not be; may be called twice."""
        self._busy[delivery.channel].discard(delivery.msg_id)

    async def send(self, delivery: Delivery) -> Outcome:
        """Send a reserved delivery and say what became of it. Raises nothing but cancellation."""
        sink = self._sinks[delivery.channel]
        try:
            async with asyncio.timeout(sink.timeout_s + _GRACE_S):
                return await sink.send(compose(delivery, self._zone))
        except OutcomeUnknown as error:
            return Unknown(str(error))
        except TimeoutError:
            return Unknown(f"{sink.name} gave no result within {sink.timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - a border: a fault of one sink must not stop the others
            # No text, no traceback: both may show a phone number.
            _log.error("sink failed: sink=%s error=%s msg_id=%s", sink.name, type(error).__name__, delivery.msg_id)
            return Unknown(f"{sink.name} failed: {type(error).__name__}")
        finally:
            self.release(delivery)

    async def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks.values():
            await sink.close()
