"""What `message.key.columns` does to the records, and what the decoder must make of it."""

import json

from schemas import Decoder
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump, envelope


def test_a_changed_primary_key_under_the_instances_key_leaves_no_old_row() -> None:
    decoder = Decoder(table({"id": "int", "app": "text"}, instance="app"))
    value = dump(envelope({"id": 2, "app": "A1"}, op="u", before={"id": 1, "app": "A1"}, lsn=7))
    changes = decoder.decode_all(
        key=json.dumps({"app": "A1"}).encode(), value=value, timestamp=AT, topic="t", partition=0, offset=9
    )
    assert [(change.op, change.row) for change in changes] == [("d", "1"), ("c", "2")]
