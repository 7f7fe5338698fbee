"""Reference data with its times: a partition whose clock is behind sees what was true then."""

from typing import Any

from rules import Reference
from schemas import Change, Op
from tests.helpers.builders import REFERENCE, ms


def told(
    reference: Reference, entity: str, row: str, at: int, *, op: Op = "c", position: int | None = None, **fields: Any
) -> None:
    place = at if position is None else position
    reference.add(Change(entity, "", row, op, place, at, f"cdc.{entity}", 0, place, fields))


def test_a_look_up_sees_what_had_arrived_by_then() -> None:
    reference = Reference(REFERENCE)
    told(reference, "tg", "TG1", 10, line_no="L1")
    told(reference, "tg", "TG1", 20, line_no="L2")
    told(reference, "tg", "TG1", 30, op="d")
    found = [reference.get("tg", "TG1", at) for at in (9, 10, 19, 20, 29, 30, 99)]
    assert [f and f["line_no"] for f in found] == [None, "L1", "L1", "L2", "L2", None, None]
    assert (reference.last_known("tg", "TG1", 99) or {})["line_no"] == "L2"


def test_a_missing_column_keeps_its_value() -> None:
    reference = Reference(REFERENCE)
    told(reference, "tg", "TG1", 10, line_no="L1", trans_no="T1")
    told(reference, "tg", "TG1", 20, line_no=None)
    assert reference.get("tg", "TG1", 20) == {"line_no": None, "trans_no": "T1"}


def test_a_repeat_and_an_older_change_say_nothing() -> None:
    reference = Reference(REFERENCE)
    told(reference, "tg", "TG1", 10, position=5, line_no="L2")
    told(reference, "tg", "TG1", 20, position=5, line_no="L9")
    told(reference, "tg", "TG1", 20, position=4, line_no="L1")
    assert reference.get("tg", "TG1", 99) == {"line_no": "L2"}
    assert len(reference.timeline()) == 1


def test_topology_that_says_what_it_said_before_makes_nothing_be_counted_again() -> None:
    reference = Reference(frozenset({"cons_tg", "bay"}))
    told(reference, "cons_tg", "C1", 10, tg_no="TG1")
    told(reference, "cons_tg", "C1", 20, tg_no="TG1")
    told(reference, "bay", "Y1", 30, bus_no="B1")
    told(reference, "cons_tg", "C1", 40, tg_no="TG2")
    assert [(event.at, event.entity) for event in reference.timeline()] == [
        (10, "cons_tg"),
        (30, "bay"),
        (40, "cons_tg"),
    ]
    assert set(reference.ever_linked("cons_tg", "tg_no", "TG1")) == {"C1"}
    assert [key for key, _ in reference.linked("cons_tg", "tg_no", "TG1", 40)] == []


def test_rows_are_found_by_what_they_said_at_the_time() -> None:
    reference = Reference(REFERENCE)
    told(reference, "tg", "TG1", 10, line_no="L1")
    told(reference, "tg", "TG2", 10, line_no="L1")
    told(reference, "tg", "TG1", 20, line_no="L2")
    assert [key for key, _ in reference.linked("tg", "line_no", "L1", 15)] == ["TG1", "TG2"]
    assert [key for key, _ in reference.linked("tg", "line_no", "L1", 20)] == ["TG2"]


def test_a_cursor_gives_every_event_once_in_order_of_time() -> None:
    reference = Reference(REFERENCE)
    cursor = reference.cursor(0, {})
    told(reference, "customer", "C2", 20)
    told(reference, "customer", "C1", 10)
    found = [cursor.pop().key, cursor.pop().key]
    told(reference, "customer", "C3", 15)  # read late: behind what was given
    assert [*found, cursor.pop().key] == ["C1", "C2", "C3"]


def test_a_cursor_after_a_restart_goes_on_where_it_was() -> None:
    reference = Reference(REFERENCE)
    for n in (10, 20, 30):
        told(reference, "customer", f"C{n}", n)
    judged: dict[str, int] = {}
    first = reference.cursor(0, judged)
    first.pop()
    first.pop()
    reference.release(first)
    again = reference.cursor(20, judged)
    assert again.pop().key == "C30"


def test_an_item_tells_of_its_opening_and_closing_at_their_times() -> None:
    reference = Reference(REFERENCE)
    now, soon, later = ms("2026-03-02T09:00"), ms("2026-03-03T09:00"), ms("2026-03-04T09:00")
    told(reference, "negative_item", "N1", now, published_at=soon, cleared_at=later)
    assert [(e.at, e.kind) for e in reference.timeline()] == [(now, "changed"), (soon, "opened"), (later, "closed")]


def test_only_what_a_snapshot_tells_about_the_past_is_history() -> None:
    reference = Reference(REFERENCE)
    now, soon = ms("2026-03-02T09:00"), ms("2026-03-03T09:00")
    told(reference, "negative_item", "N1", now, op="r", published_at=ms("2026-02-02T09:00"), cleared_at=soon)
    assert [(e.kind, e.is_history) for e in reference.timeline()] == [("opened", True), ("closed", False)]
