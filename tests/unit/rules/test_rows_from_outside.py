"""Rows that no capture wrote (files, web services): by their time among themselves, by the log against the source."""

from typing import Any

from rules import Reference
from schemas import Change, Op, ingested_position
from tests.helpers.builders import HV, MONDAY, World, ms

TOPIC = "cdc.mkt.mkt_app"


def change(
    offset: int, *, position: int, op: Op = "u", entity: str = "application", row: str = "A1", **fields: Any
) -> Change:
    instance = "A1" if entity != "tg_manager" else ""
    return Change(entity, instance, row, op, position, ms(MONDAY) + offset, TOPIC, 0, offset, fields)


def application(offset: int, *, position: int, op: Op = "u", **fields: Any) -> Change:
    return change(offset, position=position, op=op, **{**HV, "app_no": "A1", "accepted_at": ms(MONDAY), **fields})


def visit(offset: int, *, position: int, op: Op = "u", **fields: Any) -> Change:
    empty = dict.fromkeys(("finished_at", "result", "suspend_from", "suspend_to", "dept", "handler"))
    given = {"stage": "SURVEY", "visit": 1, "entered_at": ms(MONDAY), **empty, **fields}
    return change(offset, position=position, op=op, entity="visit", row="V1", **given)


def org_after(*changes: Change) -> Any:
    world = World()
    for each in changes:
        world.take(each)
    return world.document("A1")["fields"]["org_no"]


def test_a_manual_row_overwrites_what_the_source_said_before_it() -> None:
    captured = application(4, position=900_000, org_no="1")
    manual = application(5, position=ingested_position(1_772_413_200_000), org_no="2")
    assert org_after(captured, manual) == "2"
    assert org_after(captured, manual, captured, manual) == "2", "redelivery changes nothing"


def test_what_the_source_says_after_a_manual_row_wins() -> None:
    captured = [application(n, position=900_000 + n, org_no=str(n)) for n in (4, 6)]
    manual = application(5, position=ingested_position(1_772_413_200_000), org_no="5")
    assert org_after(captured[0], manual, captured[1]) == "6"
    assert org_after(captured[0], manual, captured[1], manual) == "6", "an old manual row comes again"
    assert org_after(manual, captured[1]) == "6"


def test_an_old_change_of_the_source_does_not_undo_a_manual_row() -> None:
    captured = [application(n, position=900_000 + n, org_no=str(n)) for n in (3, 4)]
    manual = application(5, position=ingested_position(1_772_413_200_000), org_no="5")
    assert org_after(captured[1], manual, captured[0]) == "5"


def test_manual_rows_are_ordered_by_their_own_time() -> None:
    older, newer = (application(n, position=ingested_position(n), org_no=str(n)) for n in (1, 2))
    assert org_after(older, newer) == org_after(newer, older) == "2"


def test_a_manual_visit_stands_and_a_later_one_of_the_source_wins() -> None:
    manual = visit(5, position=ingested_position(1_772_413_200_000), dept="manual")
    captured = [visit(n, position=900_000 + n, dept=str(n)) for n in (4, 6)]
    for before, depts in ([], ["manual"]), ([captured[0]], ["4", "manual"]):
        world = World()
        world.take(application(0, position=1))
        seen = []
        for each in [*before, manual]:
            world.take(each)
            seen.append(world.document("A1")["visits"][0]["dept"])
        assert seen == depts
        world.take(captured[1])
        world.take(manual)
        assert world.document("A1")["visits"][0]["dept"] == "6"


def test_reference_rows_follow_the_same_order() -> None:
    reference = Reference(frozenset({"tg_manager"}))

    def told(offset: int, position: int, name: str) -> object:
        reference.add(change(offset, position=position, entity="tg_manager", row="TG1", mgr_name=name))
        return (reference.get("tg_manager", "TG1", 1 << 60) or {})["mgr_name"]

    assert told(0, ingested_position(5), "by hand") == "by hand"
    assert told(1, 900_000, "captured") == "captured"
    assert told(2, ingested_position(6), "by hand again") == "by hand again"
    assert told(1, 900_000, "captured") == "by hand again"
    assert told(3, 900_001, "captured later") == "captured later"
    assert told(2, ingested_position(6), "by hand again") == "captured later"
