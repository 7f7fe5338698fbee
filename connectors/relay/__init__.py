"""Store and forward between two networks that are joined by a folder or a database table only.

A door of its own: loading it costs what only the commands of the relay need.
"""

from connectors.relay.boxes import Box, FolderBox
from connectors.relay.crossing_log import CrossingLog
from connectors.relay.definition import RelayModel, load_relay
from connectors.relay.ends import OuterReader
from connectors.relay.envelope import MOST_RECORDS, Acknowledgement, Crossing, RelayedRecord, seal, unseal
from connectors.relay.inner_writer import InnerWriter
from connectors.relay.outward import Outward, Withheld, mask
from connectors.relay.receiver import RELAY_HEADER, Applied, Receiver
from connectors.relay.sender import Acked, Pending, Read, Sender

__all__ = [
    "MOST_RECORDS",
    "RELAY_HEADER",
    "Acked",
    "Acknowledgement",
    "Applied",
    "Box",
    "Crossing",
    "CrossingLog",
    "FolderBox",
    "InnerWriter",
    "OuterReader",
    "Outward",
    "Pending",
    "Read",
    "Receiver",
    "RelayModel",
    "RelayedRecord",
    "Sender",
    "Withheld",
    "load_relay",
    "mask",
    "seal",
    "unseal",
]
