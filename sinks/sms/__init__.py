"""The roads to the carriers: CMPP, SGIP, SMGP, SMPP and HTTP behind one protocol, `SmsChannel`.

This is the package's door. Routing between carriers, the outbox and what replies mean are not here.
"""

from sinks.sms.accounts import channel_of
from sinks.sms.channel import (
    Arrival,
    ChannelState,
    Delivery,
    DeliveryReport,
    Fate,
    Inbound,
    LateAnswer,
    Part,
    Sms,
    SmsChannel,
    Submission,
)
from sinks.sms.http_door import HttpDoor, http_door_of
from sinks.sms.over_sink import SinkChannel
from sinks.sms.parts import Signature, split, units
from sinks.sms.reports import Reports, Settled

__all__ = [
    "Arrival",
    "ChannelState",
    "Delivery",
    "DeliveryReport",
    "Fate",
    "HttpDoor",
    "Inbound",
    "LateAnswer",
    "Part",
    "Reports",
    "Settled",
    "Signature",
    "SinkChannel",
    "Sms",
    "SmsChannel",
    "Submission",
    "channel_of",
    "http_door_of",
    "split",
    "units",
]
