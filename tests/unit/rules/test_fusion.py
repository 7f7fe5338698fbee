"""Fusion: what a change does to a row, column by column, by source position."""

from itertools import permutations
from typing import Any

import pytest

from rules.engine.fusion import fuse_row, fuse_visit, new_row, new_visit
from rules.state import Row, Visit
from schemas import Change, Op


def change(position: int, op: Op = "u", **fields: Any) -> Change:
    return Change("visit", "A1", "V", op, position, 0, "t", 0, position, fields)


def row_of(*changes: Change) -> Row:
    row = new_row(changes[0])
    for each in changes[1:]:
        fuse_row(row, each)
    return row


def visit_of(*changes: Change) -> Visit:
    visit = new_visit(changes[0])
    for each in changes[1:]:
        fuse_visit(visit, each)
    return visit


def test_a_missing_column_keeps_its_value_and_a_null_one_loses_it() -> None:
    row = row_of(change(1, "c", a=1, b=2, c=3), change(2, a=None, b=5))
    assert row.fields == {"a": None, "b": 5, "c": 3}


def test_an_older_change_fills_only_what_newer_ones_did_not_say() -> None:
    row = row_of(change(3, a=3), change(1, "c", a=1, b=1), change(2, b=2))
    assert row.fields == {"a": 3, "b": 2}


@pytest.mark.parametrize("fuse", [fuse_row, fuse_visit])
def test_a_repeat_says_nothing_new(fuse: Any) -> None:
    first, second = change(1, "c", stage="A", entered_at=1), change(2, stage="B")
    state: Any = (new_row if fuse is fuse_row else new_visit)(first)
    assert fuse(state, second)
    assert not fuse(state, second)
    assert not fuse(state, first)


PARTS = [
    change(1, "c", stage="A", entered_at=1, finished_at=None, handler="h"),
    change(2, stage="B", entered_at=2),
    change(3, finished_at=3),
    change(4, entered_at=4, handler=None),
]
WITH_DELETE = [PARTS[0], PARTS[1], change(3, "d", stage=None), change(4, "c", stage="C", entered_at=4)]


@pytest.mark.parametrize("changes", [PARTS, WITH_DELETE, WITH_DELETE[:3]], ids=["partial", "reborn", "deleted"])
def test_every_order_of_changes_gives_the_same_row(changes: list[Change]) -> None:
    rows = [row_of(*order) for order in permutations(changes)]
    first = rows[0]
    for row in rows:
        assert (row.fields, row.is_deleted, row.position) == (first.fields, first.is_deleted, len(changes))


@pytest.mark.parametrize("changes", [PARTS, WITH_DELETE, WITH_DELETE[:3]], ids=["partial", "reborn", "deleted"])
def test_every_order_of_changes_gives_the_same_visit(changes: list[Change]) -> None:
    def told(visit: Visit) -> tuple[object, ...]:
        return visit.stage, visit.entered_at, visit.finished_at, visit.handler, visit.is_deleted, visit.position

    visits = [told(visit_of(*order)) for order in permutations(changes)]
    assert len(set(visits)) == 1


def test_the_image_of_a_delete_says_nothing_about_columns() -> None:
    # PostgreSQL's default replica identity: the key, and null for everything else.
    row = row_of(change(2, "d", a=None, b=None), change(1, "c", a=1, b=2))
    assert row.fields == {"a": 1, "b": 2}
    assert row.is_deleted


def test_a_suspension_that_ended_is_kept_when_the_next_begins() -> None:
    visit = visit_of(
        change(1, "c", stage="A", suspend_from=10, suspend_to=None),
        change(2, suspend_from=10, suspend_to=20),
        change(3, suspend_from=30, suspend_to=None),
    )
    assert (visit.spans, visit.suspend_from, visit.suspend_to) == (((10, 20),), 30, None)


def test_a_suspension_that_is_corrected_is_not_kept() -> None:
    visit = visit_of(
        change(1, "c", stage="A", suspend_from=10, suspend_to=20), change(2, suspend_from=12, suspend_to=20)
    )
    assert visit.spans == ()
