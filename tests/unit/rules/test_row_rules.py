"""Rules about the rows of an instance: what each kind finds, when it ends, and what state keeps of rows."""

from decimal import Decimal
from typing import Any

import pytest

from rules import Definitions, Engine, Step, grounds_of_row
from schemas import alert_id
from tests.helpers.builders import World, local, ms
from tests.helpers.row_books import book, faults

NOTICE = (
    "code: X-N, kind: deadline, each: notice, start: sent_at, due: {field: reply_due_at}, until: [replied_at], "
    "rungs: {WARN: {share: 50%}, ALARM: {at: deadline}}, detail: '{notice_no}致{dept}', dept: dept"
)
JUMP = "code: X-J, kind: jump, each: bill, value: kwh, by: ym, alike: [meter_no], over: 50%, and_at_least: 100"
FREEZE = (
    "code: X-A, kind: absence, expects: {entity: freeze, date: freeze_date, arrived: arrived_at}, at: '06:00', "
    "since: installed_at, back: 3, rungs: {WARN: deadline, ALARM: 6h}"
)
DAY = 86_400_000


def thing(*rules: str, keeps: str = "", **fields: Any) -> World:
    """An instance T1 on Monday under these rules."""
    world = World(definitions=book(*rules, keeps=keeps))
    world.row("thing", "T1", "T1", **{"org_no": "3340101", "over_at": None, **fields})
    return world


def said(world: World) -> list[tuple[str, str | None, str]]:
    """Give severity, local time and words of what was raised."""
    return [(a.severity, local(a.raised_at), a.text) for a in world.alerts if a.event == "raised"]


# -- deadlines of rows


def test_each_row_has_alerts_of_its_own_with_ids_that_name_it() -> None:
    world = thing(NOTICE)
    for row in ("A", "B"):
        world.row(
            "notice", row, "T1", notice_no=row, dept="运检", sent_at="2026-03-02T09:00", reply_due_at="2026-03-03T09:00"
        )
    world.until("2026-03-03T09:00")
    alerts = [a for a in world.alerts if a.severity == "ALARM"]
    assert [a.alert_id for a in alerts] == [
        alert_id("X-N", "thing", "T1", None, None, row, "ALARM") for row in ("A", "B")
    ]
    assert [(a.dept, a.object, a.stage, a.due_at) for a in alerts] == [("运检", None, None, ms("2026-03-03T09:00"))] * 2
    assert "A致运检" in alerts[0].text
    assert [(p.topic, p.offset) for p in alerts[0].evidence] == [("cdc.notice", 2)]


def test_a_row_that_is_deleted_or_fits_no_more_takes_its_alerts_with_it() -> None:
    rule = NOTICE + ", when: {kind: urgent}"
    world = thing(rule)
    for row in ("A", "B"):
        world.row("notice", row, "T1", kind="urgent", sent_at="2026-03-02T09:00", reply_due_at="2026-03-02T10:00")
    world.until("2026-03-02T10:00")
    world.delete("notice", "A", "T1", at="2026-03-02T11:00")
    world.row("notice", "B", "T1", op="u", at="2026-03-02T11:00", kind="plain")
    assert world.open(key="T1") == []
    assert {event for *_, event in world.events()} == {"raised", "cleared"}


def test_an_instance_that_is_over_ends_the_deadlines_of_its_rows_with_how_late_they_are() -> None:
    world = thing(NOTICE)
    world.row("notice", "A", "T1", sent_at="2026-03-02T09:00", reply_due_at="2026-03-02T10:00")
    world.until("2026-03-02T12:00")
    world.row("thing", "T1", "T1", op="u", over_at="2026-03-02T11:00")
    assert world.events()[-2:] == [("X-N", "WARN", "closed"), ("X-N", "ALARM", "closed")]
    assert "逾1小时" in world.last("X-N", "ALARM").text


def test_what_ended_before_it_was_known_is_never_raised() -> None:
    world = thing(NOTICE)
    times: dict[str, Any] = {
        "sent_at": "2026-02-02T09:00", "reply_due_at": "2026-02-03T09:00", "replied_at": "2026-02-02T10:00",
    }  # fmt: skip
    world.row("notice", "A", "T1", **times)
    assert world.alerts == []


def test_the_end_that_another_row_tells_counts_only_after_the_start() -> None:
    rule = (
        "code: X-P, kind: deadline, each: pay, start: paid_at, rungs: {WARN: {after: 300s}}, "
        "until_row: {entity: ack, match: {cons: cons}, field: ack_at}"
    )
    world = thing(rule)
    world.row("ack", "K0", "T1", cons="C1", ack_at="2026-03-02T08:59:59")
    world.row("ack", "K1", "T1", cons="C2", ack_at="2026-03-02T09:01:00")
    world.row("pay", "P1", "T1", cons="C1", paid_at="2026-03-02T09:00")
    world.until("2026-03-02T09:05")
    assert world.raised() == [("X-P", "WARN", "2026-03-02T09:05")]
    world.row("ack", "K2", "T1", at="2026-03-02T09:06", cons="C1", ack_at="2026-03-02T09:06")
    assert world.events()[-1] == ("X-P", "WARN", "closed")


def test_the_last_row_of_another_entity_starts_the_time_again() -> None:
    world = thing("code: X-S, kind: deadline, start: {entity: freeze, field: arrived_at}, rungs: {WARN: {after: 26h}}")
    world.row("freeze", "F1", "T1", arrived_at="2026-03-02T00:05")
    world.row("freeze", "F2", "T1", at="2026-03-03T01:00", arrived_at="2026-03-03T00:05")
    assert world.until("2026-03-04T02:04:59").alerts == []
    assert world.until("2026-03-04T02:05").raised() == [("X-S", "WARN", "2026-03-04T02:05")]
    world.row("freeze", "F3", "T1", at="2026-03-04T03:00", arrived_at="2026-03-04T03:00")
    assert world.open(key="T1") == []


def test_a_looked_up_time_that_is_told_later_is_judged_when_it_is_told() -> None:
    rule = (
        "code: X-D, kind: deadline, start: {entity: project_schedule, key: prj_no, field: actual_start_at}, "
        "due: {field: days, reference: project_schedule, key: prj_no, is_days: true}, rungs: {ALARM: {at: deadline}}"
    )
    world = thing(rule, prj_no="P1")
    world.row("project_schedule", "P1", at="2026-03-20T09:00", actual_start_at="2026-03-01T00:00", days=10)
    world.until("2026-03-20T09:00")
    assert world.raised() == [("X-D", "ALARM", "2026-03-20T09:00")]
    world.row("project_schedule", "P1", op="u", at="2026-03-21T09:00", days=30)
    world.until("2026-03-21T09:00")
    assert world.open(key="T1") == []


# -- numbers


def test_a_sum_beyond_its_share_of_another_is_found_by_severity_and_ends_with_it() -> None:
    rule = (
        "code: X-T, kind: threshold, value: {sum: amt, of: cost}, rungs: {WARN: {gt: 0.9}, ALARM: {gt: 1}}, "
        "against: {sum: amt, of: budget, when: {is_valid: true}}"
    )
    world = thing(rule)
    world.row("budget", "B", "T1", amt=Decimal(1000), is_valid=True)
    world.row("budget", "B2", "T1", amt=Decimal(1000), is_valid=False)
    world.row("cost", "C1", "T1", amt=Decimal(900))
    assert world.alerts == []
    world.row("cost", "C2", "T1", amt=Decimal("100.01"))
    assert [s for s, *_ in said(world)] == ["WARN", "ALARM"]
    assert "100.0%" in world.last("X-T").text
    world.row("cost", "C2", "T1", op="u", amt=Decimal(99))
    assert world.open(key="T1") == [("X-T", "WARN")]


@pytest.mark.parametrize(
    ("amount", "bound", "expected"),
    [
        ("{count: true, of: cost}", 2, 2),
        ("{mean: amt, of: cost}", 15, 15),
        ("{last: amt, of: cost, by: at_no}", 1, 10),
    ],
)
def test_a_number_may_be_a_count_a_mean_or_the_last(amount: str, bound: int, expected: int) -> None:
    world = thing(f"code: X-T, kind: threshold, value: {amount}, rungs: {{INFO: {{ge: {bound}}}}}")
    world.row("cost", "C1", "T1", amt=Decimal(10), at_no=2)
    world.row("cost", "C2", "T1", amt=Decimal(20), at_no=1)
    assert f" {expected} " in world.last("X-T").text


BILLS = [("202601", 400), ("202602", 420), ("202603", 380), ("202604", 601)]


def test_a_jump_is_found_against_the_mean_of_the_periods_before_of_the_same_series() -> None:
    world = thing(f"{JUMP}, base: {{mean_of_last: 3}}")
    for ym, kwh in BILLS:
        world.row("bill", f"M1|{ym}", "T1", meter_no="M1", ym=ym, kwh=Decimal(kwh))
        world.row("bill", f"M2|{ym}", "T1", meter_no="M2", ym=ym, kwh=Decimal(kwh * 10))
    assert [a.alert_id for a in world.alerts] == [
        alert_id("X-J", "thing", "T1", None, None, f"{m}|202604", "ALARM") for m in ("M1", "M2")
    ]
    assert "601，基准400.00" in world.alerts[0].text
    world.row("bill", "M1|202604", "T1", op="u", kwh=Decimal(600))  # half as much again is what it may be
    assert world.open(key="T1") == [("X-J", "ALARM")]


@pytest.mark.parametrize(
    ("base", "bills", "is_found"),
    [
        ("{last_period: true}", [("2026-01", 400), ("2026-02", 700)], True),
        ("{last_period: true}", [("2026-01", 100), ("2026-02", 199)], False),  # less than a hundred
        ("{last_period: true}", [("2026-02", 700)], False),
        ("{same_period_last_year: true}", [("2025-02", 400), ("2026-01", 700), ("2026-02", 700)], True),
        ("{same_period_last_year: true}", [("2025-01", 400), ("2026-02", 700)], False),
        ("{last_period: true}, zero: true", [("2026-01", 5), ("2026-02", 0)], True),
        ("{last_period: true}, zero: true", [("2026-01", 0), ("2026-02", 5)], True),
        ("{last_period: true}, zero: true", [("2026-01", 0), ("2026-02", 0)], False),
    ],
)
def test_a_jump_against_another_period(base: str, bills: list[tuple[str, int]], *, is_found: bool) -> None:
    world = thing(f"{JUMP}, base: {base}")
    for ym, kwh in bills:
        world.row("bill", ym, "T1", meter_no="M1", ym=ym, kwh=Decimal(kwh))
    assert bool(world.raised()) is is_found


# -- what is missing


def test_a_day_without_its_row_is_found_at_the_hour_each_day_for_itself() -> None:
    world = thing(FREEZE, installed_at="2026-03-02T10:00")
    world.until("2026-03-04T12:00")
    assert world.raised() == [
        ("X-A", "WARN", "2026-03-03T06:00"), ("X-A", "ALARM", "2026-03-03T12:00"),
        ("X-A", "WARN", "2026-03-04T06:00"), ("X-A", "ALARM", "2026-03-04T12:00"),
    ]  # fmt: skip
    assert {a.alert_id for a in world.alerts if a.severity == "WARN"} == {
        alert_id("X-A", "thing", "T1", None, None, day, "WARN") for day in ("2026-03-03", "2026-03-04")
    }


def test_a_day_that_is_there_ahead_of_its_time_does_not_hide_the_next() -> None:
    world = thing(FREEZE, installed_at="2026-03-02T10:00")
    world.row("freeze", "F3", "T1", freeze_date=ms("2026-03-04T00:00"), arrived_at="2026-03-02T10:00")
    world.until("2026-03-04T06:00")
    assert world.raised() == [("X-A", "WARN", "2026-03-04T06:00")]


def test_a_row_that_comes_late_closes_its_day_and_one_in_time_keeps_it_quiet() -> None:
    world = thing(FREEZE, installed_at="2026-03-02T10:00")
    midnight = ms("2026-03-03T00:00")
    world.row(
        "freeze", "F4", "T1", at="2026-03-03T09:00", freeze_date=midnight + 2 * DAY, arrived_at="2026-03-03T09:00"
    )
    world.row("freeze", "F3", "T1", at="2026-03-03T10:00", freeze_date=midnight + DAY, arrived_at="2026-03-03T08:00")
    world.until("2026-03-05T05:59:59")
    assert world.events() == [("X-A", "WARN", "raised"), ("X-A", "WARN", "closed")]
    assert "逾2小时" in world.last("X-A").text


def test_what_was_missing_long_ago_stands_and_is_not_found_anew() -> None:
    world = thing(FREEZE)
    world.row("thing", "T1", "T1", op="u", at="2026-03-20T09:00", installed_at="2026-03-02T10:00")
    assert len(said(world)) == 2 * 4 - 1  # today, still in time for the alarm, and three days back
    world.until("2026-03-29T05:00")
    world.row("freeze", "F17", "T1", freeze_date=ms("2026-03-18T00:00"), arrived_at="2026-03-29T05:00")
    closed = [a for a in world.alerts if a.event == "closed"]
    assert {a.alert_id for a in closed} == {
        alert_id("X-A", "thing", "T1", None, None, "2026-03-17", s) for s in ("WARN", "ALARM")
    }


def test_what_one_system_tells_and_another_tells_otherwise_for_a_day() -> None:
    rule = (
        "code: X-R, kind: reconciliation, left: {entity: ours, since: told_at}, after: 1d, on: {no: no}, "
        "right: {entity: theirs, since: told_at}, compare: [amt, told_at], amount_tolerance: 0.01"
    )
    world = thing(rule)
    for entity, no, amt in [
        ("ours", "1", "5.00"),
        ("theirs", "1", "5.01"),
        ("ours", "2", "5.00"),
        ("theirs", "2", "5.02"),
    ]:
        world.row(entity, no, "T1", no=no, amt=Decimal(amt), told_at="2026-03-02T09:00")
    world.row("theirs", "3", "T1", no="3", amt=Decimal(1), told_at="2026-03-02T10:00")
    world.until("2026-03-03T10:00")
    assert [(at, text.split()[1:3]) for _, at, text in said(world)] == [
        ("2026-03-03T09:00", ["T1", "—"]), ("2026-03-03T10:00", ["T1", "—"]),
    ]  # fmt: skip
    assert "amt不一致" in said(world)[0][2]
    assert "ours中没有" in said(world)[1][2]
    world.row("theirs", "2", "T1", op="u", amt=Decimal("5.00"))
    world.row("ours", "3", "T1", no="3", amt=Decimal(1), told_at="2026-03-03T11:00")
    assert world.open(key="T1") == []


# -- facts


def test_one_person_in_two_roles_is_found_and_named() -> None:
    world = thing("code: X-P, kind: distinct, fields: [asked_by], stages: [CHECK, APPROVE]", asked_by="E1")
    world.visit("CHECK", "T1", handler="E2")
    assert world.alerts == []
    world.visit("APPROVE", "T1", handler="E1")
    assert "asked_by与审批同为E1" in world.last("X-P").text
    world.visit("APPROVE", "T1", op="u", handler="E3")
    assert world.open(key="T1") == []


def test_a_document_is_required_by_the_stage_that_ended_and_names_stage_and_visit() -> None:
    world = thing("code: X-D, kind: documents, papers: [{entity: paper, field: name}], record: step, stage: stage_code")
    world.visit("APPLY", "T1", finished_at="2026-03-02T10:00")
    assert world.alerts == []  # nothing is known of its papers: another system keeps them
    world.row("paper", "1", "T1", name="照片")
    alert = world.last("X-D")
    assert (alert.stage, alert.visit) == ("APPLY", 1)
    assert "缺少申请表" in alert.text
    world.row("paper", "2", "T1", name="申请表")
    assert world.open(key="T1") == []
    world.row("step", "1", "T1", stage_code="CHECK")
    assert "缺少办理记录" in world.last("X-D").text


def test_a_paper_is_the_kind_that_its_text_names_and_else_stands_for_its_whole_stage() -> None:
    papers = "[{entity: step, field: file, stage: stage_code}, {entity: paper, field: name, stages: [CHECK]}]"
    world = thing(f"code: X-D, kind: documents, papers: {papers}")
    world.visit("APPLY", "T1", finished_at="2026-03-02T10:00")
    world.row("paper", "1", "T1", name="照片")
    assert world.alerts == []  # that source tells nothing of APPLY
    world.row("step", "1", "T1", stage_code="CHECK", file="check.pdf")
    assert "缺少申请表" in world.last("X-D").text
    world.row("step", "2", "T1", stage_code="APPLY", file="apply.pdf")
    assert world.open(key="T1") == []
    world.row("step", "2", "T1", op="u", stage_code="APPLY", file=None)
    assert len(world.open(key="T1")) == 1
    world.row("step", "3", "T1", stage_code="CHECK", file="T1-申请表-2.pdf")
    assert world.open(key="T1") == []


def test_every_stage_with_a_limit_is_watched_by_that_limit() -> None:
    world = thing("code: X-E, kind: deadline, every_stage: true, limit: stage, rungs: {ALARM: {at: deadline}}")
    for stage in ("APPLY", "CHECK", "APPROVE"):
        world.visit(stage, "T1")
    world.until("2026-04-01T00:00")
    assert [(a.stage, local(a.raised_at)) for a in world.alerts] == [
        ("APPROVE", "2026-03-04T00:00"), ("CHECK", "2026-03-05T00:00"),
    ]  # fmt: skip


# -- state


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (3, 5, 1, 4, 2)])
def test_state_keeps_the_newest_rows_whatever_order_they_came_in(order: tuple[int, ...]) -> None:
    world = thing(NOTICE, keeps="bill: {newest: 2, by: ym}")
    for number in order:
        world.row("bill", f"B{number}", "T1", ym=f"2026-0{number}")
        world.row("other", f"O{number}", "T1", ym=f"2026-0{number}")
    kept = sorted(world.partition.instances["T1"].others or {})
    assert kept == ["bill:B4", "bill:B5", *(f"other:O{n}" for n in range(1, 6))]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_state_keeps_one_row_a_day_the_one_with_the_most(order: tuple[int, ...]) -> None:
    world = thing(NOTICE, keeps="load: {newest: 2, by: ts, per: day, most: rate}")
    values = [("2026-03-02T19:00", 9), ("2026-03-02T23:00", 5), ("2026-03-03T00:00", 7), ("2026-03-03T10:00", 1)]
    for number in order:
        at, rate = values[number]
        world.row("load", f"L{number}", "T1", ts=ms(at), rate=rate)
    assert sorted(world.partition.instances["T1"].others or {}) == ["load:L0", "load:L3"]


def test_rows_that_came_before_their_instance_are_let_go_of_with_it() -> None:
    world = World(definitions=book(NOTICE, keeps="bill: {newest: 1, by: ym}"))
    for number in (1, 2, 3):
        world.row("bill", f"B{number}", "T1", ym=f"2026-0{number}")
    world.row("thing", "T1", "T1", over_at=None)
    assert list(world.partition.instances["T1"].others or {}) == ["bill:B3"]


def test_what_is_open_about_a_row_that_state_let_go_of_stands() -> None:
    world = thing(NOTICE, keeps="notice: {newest: 1, by: sent_at}")
    world.row("notice", "A", "T1", sent_at="2026-03-02T09:00", reply_due_at="2026-03-02T10:00")
    world.until("2026-03-02T10:00")
    world.row("notice", "B", "T1", sent_at="2026-03-02T11:00", reply_due_at="2026-03-05T10:00")
    assert world.open(key="T1") == [("X-N", "ALARM"), ("X-N", "WARN")]
    assert {event for *_, event in world.events()} == {"raised"}


def test_a_restart_in_the_middle_leaves_the_timers_of_rows() -> None:
    world = thing(NOTICE)
    world.row("notice", "A", "T1", sent_at="2026-03-02T09:00", reply_due_at="2026-03-03T09:00")
    world.restart()
    world.until("2026-03-03T09:00")
    assert world.raised() == [("X-N", "WARN", "2026-03-02T21:00"), ("X-N", "ALARM", "2026-03-03T09:00")]


def test_rows_of_a_snapshot_are_raised_and_nobody_is_told_of_what_was_late_before() -> None:
    rule = "code: X-P, kind: distinct, fields: [a, b]"
    world = thing(NOTICE, rule)
    world.row("notice", "A", "T1", op="r", sent_at="2026-02-02T09:00", reply_due_at="2026-02-03T09:00")
    assert len(world.raised("X-N")) == 2
    assert world.notices == []


# -- other rules


def take_up(world: World, definitions: Definitions) -> None:
    before, world.engine = world.engine, Engine(definitions, world.reference)
    world.engine.take_up(world.partition, before)
    step = Step()
    while world.engine.carry_on(world.partition, step, limit=10):
        pass
    world.steps.append(step)


def test_a_rule_that_is_gone_clears_what_it_had_raised_and_a_tighter_one_raises_at_once() -> None:
    loose = NOTICE.replace("code: X-N", "code: X-L").replace("{at: deadline}", "{beyond: 5d}")
    world = thing(NOTICE, loose)
    world.row("notice", "A", "T1", sent_at="2026-03-02T09:00", reply_due_at="2026-03-03T09:00")
    world.until("2026-03-04T09:00")
    assert world.open(key="T1") == [("X-L", "WARN"), ("X-N", "ALARM"), ("X-N", "WARN")]
    take_up(world, book(loose.replace("5d", "1d")))
    assert world.open(key="T1") == [("X-L", "ALARM"), ("X-L", "WARN")]
    ended = [a for a in world.alerts if a.event == "cleared"]
    assert {a.alert_id for a in ended} <= {a.alert_id for a in world.alerts if a.event == "raised"}
    assert [a.object for a in ended] == [None, None]


def test_the_deadline_of_a_row_is_explained_by_the_id_of_its_alert() -> None:
    world = thing(NOTICE)
    for row, due in (("A", "2026-03-03T09:00"), ("B", "2026-03-04T09:00")):
        world.row("notice", row, "T1", sent_at="2026-03-02T09:00", reply_due_at=due)
    world.until("2026-03-04T09:00")
    process, instance = world.definitions.processes["thing"], world.partition.instances["T1"]
    alert = next(a for a in world.alerts if a.due_at == ms("2026-03-04T09:00") and a.severity == "WARN")
    grounds = grounds_of_row(process, instance, world.partition, alert)
    assert grounds is not None
    assert (grounds.times.start, grounds.times.deadline) == (ms("2026-03-02T09:00"), ms("2026-03-04T09:00"))
    assert dict(grounds.times.rungs) == {"WARN": ms("2026-03-03T09:00"), "ALARM": ms("2026-03-04T09:00")}


# -- sums

PAID = (
    "code: X-P, kind: deadline, each: bill, start: sent_at, rungs: {ALARM: {after: 1h}}, until_row: {entity: payment, "
    "match: {bill_no: bill_no}, when: {cancelled_at: null}, field: paid_at, covers: {amount: amount}}"
)


def pay(world: World, no: str, amount: Any, at: str, **fields: Any) -> None:
    world.row("payment", no, "T1", at=at, bill_no="B1", amount=amount, paid_at=at, cancelled_at=None, **fields)


def test_a_part_is_no_end_and_of_several_the_end_is_the_one_by_which_the_sum_is_reached() -> None:
    world = thing(PAID)
    world.row("bill", "B1", "T1", bill_no="B1", amount=Decimal("100.00"), sent_at="2026-03-02T09:00")
    pay(world, "P2", Decimal("59.99"), "2026-03-02T09:10")
    pay(world, "P1", Decimal(40), "2026-03-02T09:20")
    world.until("2026-03-02T10:00")
    assert world.open(key="T1") == [("X-P", "ALARM")]
    world.restart()
    world.row(
        "payment", "P3", "T1", bill_no="B1", amount=Decimal("0.01"), paid_at="2026-03-02T09:59", cancelled_at=None
    )
    assert world.events() == [("X-P", "ALARM", "raised"), ("X-P", "ALARM", "cleared")]


@pytest.mark.parametrize(
    ("owed", "paid", "is_late"),
    [(100, [100, -100], True), (100, [100, -100, 100], False), (100, [None], False), (None, [1], False), (0, [], True)],
)
def test_what_is_paid_back_is_owed_again_and_what_is_not_known_is_enough(
    owed: int | None, paid: list[int | None], *, is_late: bool
) -> None:
    world = thing(PAID)
    world.row("bill", "B1", "T1", bill_no="B1", amount=owed, sent_at="2026-03-02T09:00")
    for number, amount in enumerate(paid):
        pay(world, f"P{number}", amount, f"2026-03-02T09:{number + 10}")
    world.until("2026-03-02T10:00")
    assert world.raised() == ([("X-P", "ALARM", "2026-03-02T10:00")] if is_late else [])


# -- what is wrong with a rule


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("code: X-1, kind: computed, function: no_such", "no computation 'no_such'"),
        ("code: X-1, kind: computed, function: item_returned, parameters: {days: 3}", "has no parameter 'days'"),
        ("code: X-1, kind: computed, function: overloaded_for_days, parameters: {days: many}", "days must be int"),
        ("code: X-1, kind: threshold, value: {sum: a}, rungs: {WARN: {gt: 1}}", "need `of`"),
        ("code: X-1, kind: threshold, value: {field: a, count: true}, rungs: {WARN: {gt: 1}}", "exactly one of"),
        ("code: X-1, kind: threshold, value: {last: a, of: b}, rungs: {WARN: {gt: 1}}", "needs `by`"),
        ("code: X-1, kind: threshold, value: {field: a}, rungs: {WARN: {over: 1}}", "a bound is a comparison"),
        ("code: X-1, kind: jump, each: b, value: v, by: y, base: {}, over: 50%", "a base is exactly one of"),
        ("code: X-1, kind: jump, each: b, value: v, by: y, base: {last_period: true}, over: 5d", "a share of the base"),
        ("code: X-1, kind: absence, expects: {entity: f, date: d}, rungs: {WARN: 1wd}", "the unit must be one of"),
        ("code: X-1, kind: reconciliation, left: {entity: a}, right: {entity: b}, after: 1wd", "the unit must be"),
        ("code: X-1, kind: distinct, fields: [a]", "at least two"),
        ("code: X-1, kind: documents", "give `papers` or `record`"),
        ("code: X-1, kind: distinct, stages: [CHECK, LUNCH]", "no stage 'LUNCH'"),
        ("code: X-1, kind: documents, papers: [{entity: a, field: b, stages: [LUNCH]}]", "no stage 'LUNCH'"),
        ("code: X-1, kind: deadline, each: a, rungs: {WARN: {after: 1h}}", "starts at a field of it"),
        ("code: X-1, kind: deadline, every_stage: true, limit: 5wd, rungs: {WARN: {at: deadline}}", "`limit: stage`"),
        (
            "code: X-1, kind: sequence, each: a, later: b, earlier: {entity: c, field: d, key: e, covers: {f: g}}",
            "no `match`, no `covers`",
        ),
        (
            "code: X-1, kind: sequence, each: a, later: b, earlier: {entity: c, field: d, covers: {e: f, g: h}}",
            "one number of theirs",
        ),
        (
            "code: X-1, kind: sequence, each: a, later: b, earlier: {entity: c, field: d, when: {e: {near: 1}}}",
            "unknown comparison",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_fault_at_its_place(rule: str, message: str) -> None:
    found = faults(rule)
    assert len(found) == 1
    assert message in found[0].message
    assert (found[0].file, found[0].line) == ("3.yaml", 4)
