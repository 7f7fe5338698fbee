"""An HTTP gateway as a channel: the sink that speaks to it (`sms_http`), in the words of `SmsChannel`.

The gateway splits long texts itself and gives one receipt for all; it drops repeats of a `msg_id` if it can.
Reports and what people write come through a door of ours (`http_door`), if the account has one.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from typing import assert_never

from schemas.notice import Recipient
from sinks.sink import Delivered, Message, OutcomeUnknown, Refused, Result, RetryAfter, Sink
from sinks.sms.channel import Arrival, ChannelState, Fate, Part, Sms, Submission
from sinks.sms.http_door import HttpDoor, HttpListener
from sinks.sms.parts import NO_SIGNATURE, Signature

_log = logging.getLogger(__name__)


class SinkChannel:
    """An `SmsChannel` over any sink for SMS."""

    def __init__(self, sink: Sink, *, signature: Signature = NO_SIGNATURE, door: HttpDoor | None = None) -> None:
        """`door`: where the gateway calls us; None: it does not."""
        self._sink = sink
        self._signature = signature
        self._in_flight = 0
        self._fault = self._deaf = ""
        self._is_closed = False
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._listener = HttpListener(door, self._arrivals.put_nowait) if door is not None else None

    @property
    def name(self) -> str:
        """The sink's."""
        return self._sink.name

    @property
    def state(self) -> ChannelState:
        """A request makes its own connection, so it is up until it is closed; `fault` is the last failure."""
        return ChannelState(
            links=0 if self._is_closed else 1, in_flight=self._in_flight, fault=self._deaf or self._fault
        )

    @property
    def port(self) -> int:
        """Where the gateway may call; 0: nowhere."""
        return self._listener.port if self._listener is not None else 0

    async def connect(self) -> None:
        """Open the door, if there is one. A port that is taken does not keep us from sending."""
        if self._listener is None:
            return
        try:
            await self._listener.open()
            self._deaf = ""
        except OSError as error:
            self._deaf = f"cannot listen for the gateway on {self._listener.address}: {os.strerror(error.errno or 0)}"
            _log.error(
                "neither reports nor texts will come; give `listen` another port: channel=%s reason=%s",
                self.name, self._deaf,
            )  # fmt: skip

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
        """What came through the door; ends at `close`."""
        while (arrival := await self._arrivals.get()) is not None:
            yield arrival

    async def close(self) -> None:
        """Give back sockets; may be called twice."""
        if not self._is_closed:
            self._is_closed = True
            self._arrivals.put_nowait(None)
        if self._listener is not None:
            await self._listener.close()
        await self._sink.close()
