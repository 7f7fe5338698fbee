"""Further views of a row are the same through every dialect: who is told, what leaves, what goes."""

from typing import Any

import pytest

from schemas import Change, decoder_of
from tests.helpers.decoding import AT
from tests.helpers.dialect_wire import ROW, SHELF, WRITERS, WireRow, Writer
from tests.helpers.viewing import brief, with_views

VIEWS = (
    {"entity": "money", "instance": "money:{app}", "columns": ["amt"]},
    {"entity": "survey", "instance": "day:{app}:{stage}", "when": {"stage": ["SURVEY", None], "ok": True}},
    {
        "entity": "visit",
        "instance": "app",
        "columns": {"stage": "stage", "at": "entered_at"},
        "constants": {"visit": 1},
    },
)
every_dialect = pytest.mark.parametrize("dialect", WRITERS, ids=str)
telling_before = pytest.mark.parametrize("dialect", [w for w in WRITERS if w.tells_before], ids=str)


def told(dialect: Writer, op: str, row: WireRow | None, before: WireRow | None = None) -> list[Change]:
    decoder = decoder_of(with_views(dialect.mapping, *VIEWS), schema_of=SHELF.schema_of)
    return [
        change
        for number, (key, value) in enumerate(dialect.records(op, row, before))
        for change in decoder.decode_all(
            key=key, value=value, timestamp=AT, topic="t", partition=0, offset=9 + number
        )
    ]  # fmt: skip


@every_dialect
def test_a_created_row_is_told_to_each(dialect: Writer) -> None:
    changes = told(dialect, "c", ROW)
    assert brief(changes) == [
        ("thing", "A1", "1", "c", ""), ("money", "money:A1", "1", "c", ""), ("survey", "day:A1:SURVEY", "1", "c", ""),
        ("visit", "A1", "1", "c", ""),
    ]  # fmt: skip
    assert [change.part for change in changes] == [0, 1, 2, 3]
    assert len({change.position for change in changes}) == 1
    assert changes[3].fields == {"id": 1, "app": "A1", "stage": "SURVEY", "entered_at": AT, "visit": 1}


@every_dialect
def test_a_row_that_does_not_fit_is_told_to_the_others(dialect: Writer) -> None:
    entities = [change.entity for change in told(dialect, "c", {**ROW, "stage": "SCHEME"})]
    assert entities == ["thing", "money", "visit"]


@telling_before
def test_a_row_that_no_longer_fits_leaves(dialect: Writer) -> None:
    changes = told(dialect, "u", {**ROW, "ok": False}, ROW)
    assert [(c.instance, c.left) for c in changes if c.entity == "survey"] == [("", "day:A1:SURVEY")]


@telling_before
def test_a_row_that_goes_elsewhere_leaves_every_view(dialect: Writer) -> None:
    changes = told(dialect, "u", {**ROW, "app": "A2"}, ROW)
    assert [change.left for change in changes] == ["A1", "money:A1", "day:A1:SURVEY", "A1"]
    assert [change.instance for change in changes] == ["A2", "money:A2", "day:A2:SURVEY", "A2"]


@every_dialect
def test_a_deleted_row_goes_from_every_view(dialect: Writer) -> None:
    changes = told(dialect, "d", None, ROW)
    assert [(c.instance, c.row, c.op) for c in changes] == [
        ("A1", "1", "d"), ("money:A1", "1", "d"), ("day:A1:SURVEY", "1", "d"), ("A1", "1", "d")
    ]  # fmt: skip


@every_dialect
def test_a_changed_key_takes_the_old_row_away_everywhere(dialect: Writer) -> None:
    changes = told(dialect, "u", {**ROW, "id": 2}, ROW)
    for entity in ("thing", "money", "survey", "visit"):
        found: list[Any] = [(c.row, c.op) for c in changes if c.entity == entity]
        assert found == [("1", "d"), ("2", "c")]
    places = [(change.offset, change.part) for change in changes]
    assert places == sorted(set(places))
