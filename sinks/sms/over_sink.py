"""An HTTP gateway as a channel: the sink that speaks to it (`sms_http`), in the words of `SmsChannel`.

The gateway splits long texts itself and gives one receipt for all; it drops repeats of a `msg_id` if it can.
Reports and replies do not come this way.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import assert_never

from schemas.notice import Recipient
from sinks.sink import Delivered, Message, OutcomeUnknown, Refused, Result, RetryAfter, Sink
from sinks.sms.channel import Arrival, ChannelState, Fate, Part, Sms, Submission
from sinks.sms.parts import NO_SIGNATURE, Signature


class SinkChannel:
    """An `SmsChannel` over any sink for SMS."""

    def __init__(self, sink: Sink, *, signature: Signature = NO_SIGNATURE) -> None:
        self._sink = sink
        self._signature = signature
        self._in_flight = 0
        self._fault = ""
        self._closed = asyncio.Event()

    @property
    def name(self) -> str:
        """The sink's."""
        return self._sink.name

    @property
    def state(self) -> ChannelState:
        """A request makes its own connection, so it is up until it is closed; `fault` is the last failure."""
        return ChannelState(links=0 if self._closed.is_set() else 1, in_flight=self._in_flight, fault=self._fault)

    async def connect(self) -> None:
        """Nothing to do."""

    async def submit(self, sms: Sms) -> Submission:
        """Hand one SMS over, as one part."""
        self._in_flight += 1
        try:
            result = await self._sink.send(self._message(sms))
        except OutcomeUnknown as error:
            self._fault = str(error)
            return Submission(parts=(Part(number=1, fate=Fate.UNKNOWN, reason=str(error)),))
        finally:
            self._in_flight -= 1
        return Submission(parts=(self._part(result),))

    def _message(self, sms: Sms) -> Message:
        text = self._signature.written(sms.text)
        nobody = Recipient(no="")  # the gateway asks for a number, not for a person
        return Message(msg_id=sms.msg_id, channel="sms", recipient=nobody, address=sms.mobile, text=text)

    def _part(self, result: Result) -> Part:
        match result:
            case Delivered(receipt):
                self._fault = ""
                return Part(number=1, fate=Fate.TAKEN, carrier_id=receipt)
            case Refused(reason):
                return Part(number=1, fate=Fate.REFUSED, reason=reason)
            case RetryAfter(seconds, reason):
                self._fault = reason
                return Part(number=1, fate=Fate.UNSENT, reason=reason, wish_s=seconds)
            case _ as never:
                assert_never(never)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """None ever; ends at `close`."""
        await self._closed.wait()
        nothing: tuple[Arrival, ...] = ()
        for arrival in nothing:
            yield arrival

    async def close(self) -> None:
        """Give back sockets; may be called twice."""
        self._closed.set()
        await self._sink.close()
