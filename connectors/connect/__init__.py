"""Kafka Connect, declaratively: what shall run is said in files, planned, applied and looked at.

The door of this part of the room; `stagewatch connectors` and `stagewatch check` come in here.
"""

from connectors.connect.apply import NotRunning, Timing, await_state, carry_out, objections
from connectors.connect.client import ConnectClient, Patience, Refused, UnknownConnector
from connectors.connect.files import TEMPLATES, VERSION, Desired, load_connectors, warnings_of
from connectors.connect.live import Live
from connectors.connect.offsets import BadOffsets, check_partitions, exported, imported
from connectors.connect.plan import APPLIED, OWNER, Action, Change, Item, Policy, is_ours, plan
from connectors.connect.redaction import cleaned, is_secret, shown
from connectors.connect.signals import (
    CannotSignal,
    Signal,
    captures,
    channel_of,
    insert_statement,
    send,
    snapshot_signal,
)
from connectors.connect.topics import topic_warnings

__all__ = [
    "APPLIED",
    "OWNER",
    "TEMPLATES",
    "VERSION",
    "Action",
    "BadOffsets",
    "CannotSignal",
    "Change",
    "ConnectClient",
    "Desired",
    "Item",
    "Live",
    "NotRunning",
    "Patience",
    "Policy",
    "Refused",
    "Signal",
    "Timing",
    "UnknownConnector",
    "await_state",
    "captures",
    "carry_out",
    "channel_of",
    "check_partitions",
    "cleaned",
    "exported",
    "imported",
    "insert_statement",
    "is_ours",
    "is_secret",
    "load_connectors",
    "objections",
    "plan",
    "send",
    "shown",
    "snapshot_signal",
    "topic_warnings",
    "warnings_of",
]
