"""Where alerts leave: one file per destination behind one pipeline; the outbox and the store.

This is the room's one door. `sinks.store` is its second, for those who only read.
"""

from sinks.carriers import Carrier, CarrierBook
from sinks.delivery import Delivery
from sinks.masking import masked, masked_address
from sinks.outbox import Outbox
from sinks.outbox_rows import OPEN_STATES, Holding, OutboxPolicy, State, message_id
from sinks.pipeline import Changes, Commit, Pipeline
from sinks.registry import bounce_of, build_routes, build_sinks, sinks_for
from sinks.report_mail import ReportMails
from sinks.routing import Mute, mobile_digits
from sinks.senders import Senders
from sinks.sink import (
    Bounce,
    Delivered,
    Message,
    Outcome,
    OutcomeUnknown,
    Refused,
    Result,
    RetryAfter,
    Sink,
    SinkSettingError,
    Unknown,
)
from sinks.sms import split as sms_parts
from sinks.sms import units as sms_length
from sinks.sms_routes import RoadFigures, SmsRoutes, Written
from sinks.standing import Standing
from sinks.wording import compose

__all__ = [
    "OPEN_STATES",
    "Bounce",
    "Carrier",
    "CarrierBook",
    "Changes",
    "Commit",
    "Delivered",
    "Delivery",
    "Holding",
    "Message",
    "Mute",
    "Outbox",
    "OutboxPolicy",
    "Outcome",
    "OutcomeUnknown",
    "Pipeline",
    "Refused",
    "ReportMails",
    "Result",
    "RetryAfter",
    "RoadFigures",
    "Senders",
    "Sink",
    "SinkSettingError",
    "SmsRoutes",
    "Standing",
    "State",
    "Unknown",
    "Written",
    "bounce_of",
    "build_routes",
    "build_sinks",
    "compose",
    "masked",
    "masked_address",
    "message_id",
    "mobile_digits",
    "sinks_for",
    "sms_length",
    "sms_parts",
]
