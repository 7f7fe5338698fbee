"""Changes ordered by their arrival: many of one record, and records that are dated ahead."""

import pytest

from rules.engine.fusion import fuse_row, new_row
from schemas import Decoder
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump

COLUMNS = {"id": "text", "stage": "text"}
MINUTE = 60_000


def canal(*stages: str) -> bytes:
    rows = [{"id": "1", "stage": stage} for stage in stages]
    return dump({"type": "UPDATE", "isDdl": False, "es": 5, "data": rows, "old": None})


def decoder() -> Decoder:
    return Decoder(table(COLUMNS, instance="id", entity="visit", dialect="canal-json"))


def test_of_thousands_of_images_of_one_row_in_a_record_the_last_holds() -> None:
    first, *others = decoder().decode_all(
        key=None, value=canal(*map(str, range(3_000))), timestamp=AT, topic="cdc.x.t", partition=0, offset=0
    )
    row = new_row(first)
    assert all(fuse_row(row, change) for change in others)
    assert row.fields["stage"] == "2999"


@pytest.mark.parametrize(("ahead_ms", "warnings"), [(MINUTE, 0), (58 * MINUTE, 1)])
def test_a_record_dated_ahead_of_those_behind_it_is_warned_of(ahead_ms: int, warnings: int) -> None:
    of = decoder()
    for offset, own_ms in enumerate((AT, AT + ahead_ms, AT)):
        arrived = max(AT if offset == 0 else AT + ahead_ms, own_ms)
        changes = of.decode_all(
            key=None, value=canal("A"), timestamp=arrived, topic="cdc.x.t", partition=3, offset=offset
        )
        of.arrivals.note(changes, own_ms, arrived)
    assert [("partition 3, offset 2" in line, "3480 s" in line) for line in of.warnings] == [(True, True)] * warnings
