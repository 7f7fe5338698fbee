"""Changes ordered by their arrival: many of one record, and records that are dated ahead."""

import pytest

from rules.engine.fusion import fuse_row, new_row
from schemas import Decoder
from schemas.mapping import Format, Growth
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump

COLUMNS = {"id": "text", "stage": "text"}
MINUTE = 60_000


def canal(*stages: str) -> bytes:
    rows = [{"id": "1", "stage": stage} for stage in stages]
    return dump({"type": "UPDATE", "isDdl": False, "es": 5, "data": rows, "old": None})


def decoder(growth: Growth = "any") -> Decoder:
    form = Format(partitions=growth)
    return Decoder(table(COLUMNS, instance="id", entity="visit", dialect="canal-json", format=form))


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
        of.note_arrival(changes, own_ms, arrived)
    assert [("partition 3, offset 2" in line, "3480 s" in line) for line in of.warnings] == [(True, True)] * warnings


@pytest.mark.parametrize(
    ("told", "warnings"),
    [
        (((1, 0), (3, 2 * MINUTE)), 0), (((3, 2 * MINUTE), (1, 0)), 0), (((3, 0), (1, MINUTE)), 0),
        (((3, 0), (1, 2 * MINUTE)), 1), (((1, 2 * MINUTE), (3, 0)), 1), (((1, 9 * MINUTE), (2, 0), (3, 0)), 1),
    ],
)  # fmt: skip
def test_a_row_that_goes_to_a_lower_partition_is_warned_of_where_that_cannot_be(
    told: tuple[tuple[int, int], ...], warnings: int
) -> None:
    of = decoder("multiplied")
    for partition, late_ms in told:
        at = AT + late_ms
        changes = of.decode_all(
            key=None, value=canal("A"), timestamp=at, topic="cdc.x.t", partition=partition, offset=0
        )
        of.note_arrival(changes, at, at)
    assert [("row 1 " in line, "lower number" in line) for line in of.warnings] == [(True, True)] * warnings


def test_records_dated_ahead_are_nothing_to_warn_of_where_partitions_are_multiplied() -> None:
    of = decoder("multiplied")
    changes = of.decode_all(key=None, value=canal("A"), timestamp=AT, topic="cdc.x.t", partition=3, offset=0)
    of.note_arrival(changes, AT - 58 * MINUTE, AT)
    assert of.warnings == []
