"""China Unicom's channel: one connection that we make to send, and a port at which the gateway calls us."""

import logging
import os
from collections.abc import AsyncIterator

import msgspec

from sinks.sms.carrier import CarrierChannel
from sinks.sms.channel import Arrival, ChannelState, Sms, Submission
from sinks.sms.sgip_listener import SgipDoor, SgipListener
from sinks.sms.wire import Wire

_log = logging.getLogger(__name__)


class SgipChannel:
    """An `SmsChannel` over SGIP."""

    name = "sgip"

    def __init__(self, sending: CarrierChannel, wire: Wire, door: SgipDoor) -> None:
        """`sending` sends over `wire`; the gateway has to show what is at the `door`."""
        self._sending = sending
        self._listener = SgipListener(wire, door, sending.take)
        self._fault = ""

    @property
    def port(self) -> int:
        """Where the gateway may call; 0: nowhere."""
        return self._listener.port

    @property
    def state(self) -> ChannelState:
        """Of the sending connection; a port that could not be opened is a fault too."""
        state = self._sending.state
        return msgspec.structs.replace(state, fault=self._fault or state.fault)

    async def connect(self) -> None:
        """Open the port and make the connection. A port that is taken does not keep us from sending."""
        try:
            await self._listener.open()
            self._fault = ""
        except OSError as error:
            self._fault = f"cannot listen for the gateway on {self._listener.address}: {os.strerror(error.errno or 0)}"
            _log.error("no reports will come; give `listen` another port: wire=%s reason=%s", self.name, self._fault)
        await self._sending.connect()

    async def submit(self, sms: Sms) -> Submission:
        """Hand one SMS over."""
        return await self._sending.submit(sms)

    def arrivals(self) -> AsyncIterator[Arrival]:
        """What came over either connection."""
        return self._sending.arrivals()

    async def close(self) -> None:
        """Close both."""
        await self._listener.close()
        await self._sending.close()
