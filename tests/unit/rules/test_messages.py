"""Messages that are no alerts: told once, by the clock, to whom the rows name; history and what lapsed to nobody."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from rules import SHIPPED, DefinitionSet, read_definitions
from rules.loader import LoadedFile, compiled, fit, read_text
from schemas import Op
from tests.helpers.builders import MONDAY, World, local
from tests.helpers.replaying import sources
from tests.helpers.row_books import book, read_book
from tests.unit.rules.test_take_up import take_up

BILL: dict[str, Any] = {
    "bill_no": "B1", "ym": "202602", "energy_kwh": 160, "amount": 86, "issued_at": "2026-03-02T09:00",
    "due_at": "2026-03-20T00:00",
}  # fmt: skip

RULE = "code: X-N, kind: deadline, each: notice, start: sent_at, rungs: {WARN: {after: 1d}}"
PUBLICITY = """\
version: messages/v1
id: news
messages:
  - {id: news, code: M17, title: 宣传, processes: [thing], at: told_at, to: [customer], values: {text: said}}
"""


def customer(**settings: Any) -> World:
    world = World(**settings)
    world.row(
        "billing_account", "C1", "billing:C1", cons_no="C1", cust_name="丁一", mobile="13800138001", addr="示范路1号"
    )
    return world


def bill(world: World, *, op: Op = "c", at: str | None = None, **fields: Any) -> None:
    world.row("bill", "B1", "billing:C1", op=op, at=at, **BILL | fields)


def told(world: World, *codes: str) -> list[tuple[str, str | None]]:
    """Give code and local time of what was told that is no alert."""
    found = [each for each in world.notices if each.alert_id.startswith("message:")]
    return [(each.rule, local(each.at)) for each in found if not codes or each.rule in codes]


# -- bills


def test_a_message_names_itself_by_instance_row_and_number_and_is_no_alert() -> None:
    world = customer()
    bill(world)
    (notice,) = world.notices
    assert notice.key == "message:bill_issued:billing:C1:B1:1:cons:C1:sms"
    assert (notice.rule, notice.severity, notice.channel, notice.recipient.mobile) == (
        "M03", "INFO", "sms", "13800138001",
    )  # fmt: skip
    assert notice.text == "【国网电力】尊敬的丁一，您2026年2月用电160千瓦时，电费86.00元。"
    assert world.alerts == []


def test_a_repeat_a_change_and_a_restart_tell_nothing_again() -> None:
    world = customer()
    bill(world)
    world.take(world_change := world.row("bill", "B1", "billing:C1", op="u", **BILL | {"audit_state": "passed"}))
    world.restart()
    world.take(world_change)
    bill(world, op="u", audit_state=None)
    assert told(world, "M03") == [("M03", "2026-03-02T09:00")]


def test_a_snapshot_tells_nothing_of_what_was_and_all_of_what_comes() -> None:
    world = customer()
    bill(world, op="r")
    assert told(world) == []
    world.until("2026-03-20T00:00")
    assert told(world) == [("M02", "2026-03-17T00:00"), ("M08", "2026-03-20T00:00")]


def test_a_first_run_over_history_tells_nothing_that_was_due_before_it() -> None:
    world = customer(notify_from="2026-03-10T00:00")
    bill(world)
    world.until("2026-03-20T00:00")
    assert told(world) == [("M02", "2026-03-17T00:00"), ("M08", "2026-03-20T00:00")]


def test_what_fell_due_while_no_worker_ran_is_told_and_marked_late() -> None:
    world = customer(live_from="2026-03-25T00:00")
    bill(world)
    world.until("2026-03-28T00:00")
    assert [(each.rule, each.is_late) for each in world.notices] == [
        ("M03", True), ("M02", True), ("M08", True), ("M08", False),
    ]  # fmt: skip


def test_dunning_goes_on_when_a_payment_is_taken_back() -> None:
    world = customer()
    bill(world)
    pay: dict[str, Any] = {
        "pay_no": "P1", "bill_no": "B1", "amount": 86, "channel_code": "WEB", "paid_at": "2026-03-21T09:00",
        "bank_batch_no": None,
    }  # fmt: skip
    world.row("payment", "P1", "billing:C1", at="2026-03-21T09:00", **pay, cancelled_at=None)
    world.until("2026-03-29T00:00")
    world.row("payment", "P1", "billing:C1", op="u", at="2026-03-30T09:00", **pay, cancelled_at="2026-03-30T09:00")
    world.until("2026-04-03T00:00")
    assert told(world, "M08") == [
        ("M08", "2026-03-20T00:00"), ("M08", "2026-03-30T09:00"), ("M08", "2026-04-03T00:00"),
    ]  # fmt: skip


def test_a_demand_ends_after_its_last_repeat() -> None:
    world = customer()
    bill(world)
    world.until("2026-12-31T00:00")
    assert len(told(world, "M08")) == 8


def test_what_is_older_than_it_may_be_is_not_told() -> None:
    world = customer()
    bill(world, issued_at="2026-01-01T09:00", due_at="2026-01-05T00:00")
    bill(world, op="u", at="2026-03-10T09:00", issued_at="2026-01-01T09:00", due_at="2026-01-05T00:00")
    assert told(world) == []


def test_a_message_waits_for_what_it_is_to_say() -> None:
    world = customer()
    bill(world, amount=86, energy_kwh=None)
    assert told(world) == []
    bill(world, op="u", at="2026-03-03T09:00")
    assert told(world) == [("M03", "2026-03-03T09:00")]


def test_rows_that_came_before_their_customer_are_told_of_when_it_comes() -> None:
    world = World()
    bill(world)
    assert told(world) == []
    world.row("billing_account", "C1", "billing:C1", at="2026-03-02T09:05", cons_no="C1", mobile="13800138001")
    assert told(world) == [("M03", "2026-03-02T09:05")]


def test_what_was_told_of_rows_that_state_let_go_of_is_forgotten_with_them() -> None:
    world = customer()
    for number in range(40):
        world.row(
            "bill", f"B{number:02}", "billing:C1", bill_no=f"B{number:02}", ym=f"{2000 + number}01", amount=1,
            energy_kwh=1, issued_at="2026-03-02T09:00",
        )  # fmt: skip
    assert len(told(world, "M03")) == 40
    kept = world.partition.instances["billing:C1"].told or {}
    assert len([key for key in kept if key.startswith("bill_issued:")]) == 36


def test_a_published_change_of_rules_leaves_messages_to_customers_as_they_are() -> None:
    world = World(definitions=book(RULE))
    world.row("thing", "T1", "T1", over_at=None, mobile="13800138001", said="检修", told_at=MONDAY)
    loaded = read_book(RULE)
    read_text(PUBLICITY.encode(), "messages.yaml", loaded)
    take_up(world, compiled(loaded))
    assert [(each.rule, each.group) for each in world.notices] == [("M17", None)]


# -- stages


def staged(**fields: Any) -> World:
    world = World()
    world.manager()
    world.row("stakeholder", "7", app_no="A1", role="works_unit", person_no="W7", mobile="13900139007")
    world.app(tg_no="TG1", cons_no="C1", cust_mobile="13800138001", **fields)
    return world


def test_entering_a_key_stage_tells_each_role_once() -> None:
    world = staged()
    world.visit("COMPLETE")
    world.visit("COMPLETE", op="u", handler="H1")
    assert [(each.rule, each.recipient.no) for each in world.notices] == [
        ("M14", "cons:C1"), ("M15", "M1"), ("M15", "W7"),
    ]  # fmt: skip


def test_a_second_visit_is_told_of_too_and_a_stage_that_is_no_key_stage_is_not() -> None:
    world = staged()
    world.visit("SURVEY")
    world.visit("COMPLETE")
    world.visit("COMPLETE", op="u", finished_at="2026-03-03T09:00", result="rejected")
    world.visit("COMPLETE", visit=2, at="2026-03-04T09:00")
    assert told(world, "M14") == [("M14", "2026-03-02T09:00"), ("M14", "2026-03-04T09:00")]


def test_a_stage_of_a_snapshot_or_of_an_application_that_is_over_is_told_to_nobody() -> None:
    world = staged()
    world.visit("COMPLETE", op="r")
    world.visit("COMPLETE", op="u", handler="H1")
    world.app(op="u", tg_no="TG1", archived_at="2026-03-02T09:00", status_code="archived")
    world.visit("CONNECT")
    assert told(world) == []


def test_a_stage_that_came_before_its_application_is_told_of_when_that_comes() -> None:
    world = World()
    world.visit("COMPLETE")
    world.app(cons_no="C1", cust_mobile="13800138001", tg_no="TG1")
    assert told(world, "M14") == [("M14", "2026-03-02T09:00")]


# -- what `check` finds


@lru_cache
def shipped_files() -> tuple[LoadedFile, ...]:
    return tuple(read_definitions([SHIPPED]).files)


def faults_with(old: str, new: str) -> list[str]:
    """Give the faults after a replacement in the shipped messages."""
    loaded, is_there = DefinitionSet(), False
    for file in shipped_files():
        if Path(file.path).parent.name == "messages" and old in file.text:
            is_there = True
            read_text(file.text.replace(old, new, 1).encode(), file.path, loaded)
        else:
            loaded.put(file)
    assert is_there, old
    fit(loaded, sources().vocabulary())
    return [str(fault) for fault in loaded.faults]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: bill_due_soon", "id: bill_issued", "customers.yaml:16:9: message bill_issued is there twice"),
        ("code: M03", "code: M99", "no message template 'M99'"),
        ("processes: [billing_cycle]", "processes: [billing]", "no process 'billing'"),
        ("stages: [SCHEME, COMPLETE", "stages: [LUNCH, COMPLETE", "no stage 'LUNCH'; known are ACCEPT"),
        ("to: [customer, meter_reader]", "to: [customer, reader]", "no role 'reader'; known are manager"),
        ("at: issued_at", "until: [issued_at]", "has either `at`"),
        ("    stages: [SCHEME", "    each: visit\n    stages: [SCHEME", "about stages has no `each`"),
        ("    every: 7d\n", "", "give both or none"),
        ("before: 3d", "before: 3wd", "3wd cannot stand here"),
        ("when: {amount: {gt: 0}}", "when: {amount: {above: 0}}", "unknown comparison"),
        ("kwh: energy_kwh, ", "", "nothing fills in kwh of M03"),
        ("kwh: energy_kwh, ", "kwh: energy_kwh, balance: amount, ", "M03 has no {balance}"),
        ("kwh: energy_kwh, ", "kwh: energy, ", "bill has no field 'energy'"),
        ("at: issued_at", "at: issued", "bill has no field 'issued'"),
        ("each: payment", "each: paymentt", "no source has an entity 'paymentt'"),
        ("match: {bill_no: bill_no}", "match: {bill: bill_no}", "payment has no field 'bill'"),
        ("once_per: [batch_no, amt]", "once_per: [batch, amt]", "bank_debit has no field 'batch'"),
    ],
)
def test_what_does_not_fit_is_a_fault_with_its_place(old: str, new: str, message: str) -> None:
    faults = faults_with(old, new)
    assert any(message in fault for fault in faults), faults
