"""From captured rows to alerts where one row concerns several instances, and where two systems tell one thing."""

from typing import Any

import msgspec

from schemas import Recorded, epoch_ms, iso
from stagewatch.replay import Replay
from tests.helpers.replaying import replayed, sources
from tests.unit.stagewatch.test_s0_04_data_groups import examples

DAY = "2026-03-02T"


def at(clock: str) -> int:
    return epoch_ms(f"{DAY}{clock}+08:00")


def record(
    table: str, clock: str, row: dict[str, Any] | None, *, op: str = "c", before: dict[str, Any] | None = None
) -> Recorded:
    """Give one captured row, told at a time of the day; its place in the source grows with that time."""
    moment = at(clock)
    image = {"op": op, "before": before, "after": row, "source": {"lsn": moment}}
    return Recorded(f"cdc.{table}", 0, moment, moment, None, msgspec.json.encode(image), {})


def raised(run: Replay, *rules: str) -> list[tuple[str, str, str, str]]:
    return [
        (a.rule, a.severity, a.instance, iso(a.raised_at)[11:19])
        for a in run.outcome.alerts
        if a.event == "raised" and a.rule in rules
    ]


def command(number: str, kind: str, sent: str, acked: str | None) -> dict[str, Any]:
    return {
        "cmd_no": number, "term_no": "Z1", "cons_no": "C1", "cmd_type": kind, "sent_at": f"{DAY}{sent}+08:00",
        "ack_at": acked and f"{DAY}{acked}+08:00", "result": acked and "ok",
    }  # fmt: skip


ARREARS = {"cons_no": "C1", "owed_amt": "86.40", "oldest_due_at": f"{DAY}00:00:00+08:00", "penalty_amt": 0}
PAYMENT = {
    "pay_no": "Y1", "cons_no": "C1", "bill_no": "B1", "amount": "86.40", "channel_code": "bank", "cashier_org_no": None,
    "paid_at": f"{DAY}10:00:00+08:00", "bank_batch_no": None, "cancelled_at": None,
}  # fmt: skip
STOPPED = [
    record("mkt.arrears", "08:00:00", ARREARS),
    record("acq.term_cmd", "09:00:00", command("K1", "open", "09:00:00", None)),
    record("acq.term_cmd", "09:01:00", command("K1", "open", "09:00:00", "09:01:00"), op="u",
           before=command("K1", "open", "09:00:00", None)),
]  # fmt: skip


def test_one_row_of_each_table_makes_an_instance_of_every_process() -> None:
    run = replayed(examples(), epoch_ms("2026-03-03T01:00:00Z"))
    found = {document["instance"]: document for document in run.instances()}
    processes = {key: document["process"] for key, document in found.items()}
    told = {view.view.of for mapping in sources().mappings for view in mapping.also if view.view is not None}
    assert None not in processes.values()
    assert len(set(processes.values())) > len(told)  # those with rows of their own besides
    assert processes["billing:3301000129"] == "billing_cycle"
    assert processes["PRJ2026017"] == "supporting_works"
    assert [visit["stage"] for visit in found["PRJ2026017"]["visits"]] == ["BUILD"]
    assert found["billing:3301000129"]["rows"].keys() == {
        "bill:BI20260600129", "customer_application:330126000129", "meter:ME33010001290", "payment:PA20260700311",
        "reading:3301000129|ME33010001290|2026-06|total", "bank_debit:BB20260708|1", "restore_command:CM000019",
        "audit_result:B202603001",
    }  # fmt: skip


def test_a_payment_of_a_stopped_customer_waits_for_supply() -> None:
    run = replayed([*STOPPED, record("mkt.mkt_payment", "10:00:01", PAYMENT)], at("10:20:00"))
    assert raised(run, "R-T16") == [
        ("R-T16", "WARN", "reconnection:C1", "02:05:00"), ("R-T16", "ALARM", "reconnection:C1", "02:15:00")
    ]  # fmt: skip


def test_a_restore_command_that_is_answered_ends_the_waiting() -> None:
    closing = [
        record("acq.term_cmd", "10:01:00", command("K2", "close", "10:01:00", None)),
        record("acq.term_cmd", "10:03:00", command("K2", "close", "10:01:00", "10:03:00"), op="u",
               before=command("K2", "close", "10:01:00", None)),
    ]  # fmt: skip
    run = replayed([*STOPPED, record("mkt.mkt_payment", "10:00:01", PAYMENT), *closing], at("11:00:00"))
    assert raised(run, "R-T16", "A17") == []


def test_a_payment_that_is_taken_back_is_taken_from_every_instance() -> None:
    gone = record("mkt.mkt_payment", "10:02:00", None, op="d", before=PAYMENT)
    run = replayed([*STOPPED, record("mkt.mkt_payment", "10:00:01", PAYMENT), gone], at("11:00:00"))
    assert raised(run, "R-T16", "A17") == []
    assert [name for document in run.instances() for name in document["rows"] if name.endswith(":Y1")] == []


def test_a_delete_that_names_no_more_than_its_key_reaches_every_holder() -> None:
    gone = record("mkt.mkt_payment", "10:02:00", None, op="d", before={"pay_no": "Y1"})
    run = replayed([*STOPPED, record("mkt.mkt_payment", "10:00:01", PAYMENT), gone], at("11:00:00"))
    assert [name for document in run.instances() for name in document["rows"] if name.endswith(":Y1")] == []


def test_a_stop_command_without_an_answer_is_late() -> None:
    run = replayed(STOPPED[:2], at("09:30:00"))
    assert raised(run, "R-T25") == [
        ("R-T25", "WARN", "disconnection:C1", "01:02:00"), ("R-T25", "ALARM", "disconnection:C1", "01:10:00")
    ]  # fmt: skip


def test_an_item_that_only_one_system_lists_differs_after_a_day() -> None:
    item = {
        "nl_no": "N1", "nl_type": "PUB_TRANS", "org_no": "3340101", "equip_no": "T1", "equip_name": "城北",
        "determined_at": f"{DAY}08:00:00+08:00", "published_at": f"{DAY}09:00:00+08:00", "plan_finish_at": None,
        "limit_level": "1", "status_code": "open",
    }  # fmt: skip
    lean = {"nl_no": "N2", "org_no": "3340101", "trans_no": "T2", "tg_no": "TG2",
            "determined_at": f"{DAY}08:00:00+08:00", "published_at": f"{DAY}09:00:00+08:00"}  # fmt: skip
    both = [record("lean.lean_neg_trans", "08:00:00", lean | {"nl_no": "N0"}),
            record("mkt.mkt_neg_list", "08:00:00", item | {"nl_no": "N0"})]  # fmt: skip
    lists = [*both, record("lean.lean_neg_trans", "09:00:00", lean), record("mkt.mkt_neg_list", "09:30:00", item)]
    run = replayed(lists, at("09:30:00") + 2 * 86_400_000)
    assert {(rule, instance) for rule, _, instance, _ in raised(run, "R-N10")} == {("R-N10", "N1"), ("R-N10", "N2")}
