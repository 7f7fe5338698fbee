"""S4-06: each of the eight billing functions is a work order with a trail, and nobody approves what they asked for."""

import time

import pytest

from tests.helpers.whole_system import PATIENCE_S, POLL_S, Document, WholeSystem, ago, example

FUNCTIONS = {
    "F27": "f27_billing", "F30": "f30_bill_reversal", "F31": "f31_charge_correction", "F32": "f32_energy_correction",
    "F33": "f33_late_fee_change", "F34": "f34_receivable_reversal", "F35": "f35_penalty_setting",
    "F36": "f36_deducted_days",
}  # fmt: skip
APPLICANT, CHECKER, APPROVER = "H1", "H2", "H3"
NODES = ("APPLY", "CHECK", "APPROVE", "EXECUTE")
IN_ORDER = (APPLICANT, CHECKER, APPROVER, APPLICANT)
"""Who ends each node: three persons, and the applicant carries out what was approved."""


def trail(wo_no: str, people: tuple[str, ...]) -> list[Document]:
    """Give the history of an order: each node is reached and ended in the minute after the one before."""
    steps: list[Document] = []
    for number, (node, person) in enumerate(zip(NODES, people, strict=False)):
        for action, actor, after in (("arrive", None, 0.0), ("done", person, 0.5)):
            steps.append(
                example(
                    "mkt", "mkt_wo_hist", wo_no=wo_no, seq=len(steps) + 1, node_code=node, action=action,
                    actor_no=actor, acted_at=ago(minutes=9 - number - after), note=None,
                )
            )  # fmt: skip
    return steps


def order(system: WholeSystem, flow: str, wo_no: str, people: tuple[str, ...]) -> None:
    row = example(
        "mkt", "mkt_wo", wo_no=wo_no, flow_code=flow, node_code="APPLY", app_no=None, cons_no=None,
        created_at=ago(minutes=10), locked_by=None, locked_at=None, finished_at=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_wo", row)
    system.capture("mkt", "mkt_wo_hist", *trail(wo_no, people))


def stands(system: WholeSystem, number: str, state: str) -> Document:
    """Wait until an order of the console stands so; give it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := [o for o in system.ask("tasks", "list", "--kind", "order") if o["number"] == number]) or (
        found[0]["state"] != state
    ):
        assert time.monotonic() < deadline, f"{found}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)
    return found[0]


def test_s4_06_each_function_makes_an_order_whose_trail_names_who_did_what(system: WholeSystem) -> None:
    for flow in FUNCTIONS:
        order(system, flow, f"S406-{flow}", IN_ORDER)
    for flow, process in FUNCTIONS.items():
        found = system.wait_for(f"S406-{flow}", lambda each: [v["handler"] for v in each["visits"]] == [*IN_ORDER])
        assert found["process"] == process
        assert [visit["stage"] for visit in found["visits"]] == [*NODES]
        assert len([row for row in found["rows"] if row.startswith("work_order_step:")]) == 2 * len(NODES)
        assert system.alerts(f"S406-{flow}") == []


@pytest.mark.parametrize("people", [(APPLICANT, CHECKER, APPLICANT), (APPLICANT, APPLICANT, APPROVER)])
def test_s4_06_approval_of_ones_own_order_is_found_in_each_function(
    system: WholeSystem, people: tuple[str, ...]
) -> None:
    names = {flow: f"S406-own-{flow}-{people.index(APPLICANT, 1)}" for flow in FUNCTIONS}
    for flow, wo_no in names.items():
        order(system, flow, wo_no, people)
    for wo_no in names.values():
        assert system.wait_for_alerts(wo_no, ("A24", "ALARM")) == [("A24", "ALARM")]


def test_s4_06_console_refuses_the_approval_of_who_finished_the_order(system: WholeSystem) -> None:
    number = "S406-console"
    order(system, "F30", number, (APPLICANT,))
    system.done("commands", "send", "lock", number, "--by", APPLICANT)
    system.done("commands", "send", "finish", number, "--by", APPLICANT)
    stands(system, number, "DONE")
    system.done("commands", "send", "approve", number, "--by", APPLICANT)
    system.done("commands", "send", "approve", number, "--by", APPROVER)
    stands(system, number, "APPROVED")
    (history,) = system.ask("tasks", "show", number)
    assert [(act["by"], act["what"]) for act in history["acts"]] == [
        (APPLICANT, "lock"), (APPLICANT, "finish"), (APPROVER, "approve"),
    ]  # fmt: skip
