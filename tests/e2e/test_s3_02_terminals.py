"""S3-02: a terminal of each of the four kinds sends a freeze and answers a command; a silent one raises A25."""

import pytest

from tests.helpers.whole_system import WholeSystem, ago, example

KINDS = ("public_trans", "special_trans", "large_customer", "substation")


def terminal(system: WholeSystem, kind: str, *, froze: str) -> str:
    """Tell a terminal, its last freeze, and a command that it answers; give its instance."""
    term_no = f"S302-{kind}-{froze[:13]}"
    system.capture("acq", "term", example("acq", "term", term_no=term_no, term_kind=kind))
    freeze = example("acq", "meter_freeze", meter_no=f"ME-{term_no}", term_no=term_no, arrived_at=froze)
    system.capture("acq", "meter_freeze", freeze)
    answer = example(
        "acq", "term_cmd", cmd_no=f"CM-{term_no}", term_no=term_no, cons_no=None, cmd_type="read",
        sent_at=ago(minutes=3), ack_at=ago(minutes=2),
    )  # fmt: skip
    system.capture("acq", "term_cmd", answer)
    return term_no


@pytest.mark.parametrize("kind", KINDS)
def test_s3_02_terminal_of_each_kind_freezes_answers_and_is_heard(system: WholeSystem, kind: str) -> None:
    instance = terminal(system, kind, froze=ago(hours=2))
    system.wait_for_row(instance, f"terminal_command:CM-{instance}")
    found = system.wait_for(instance, lambda each: any(row.startswith("meter_freeze:") for row in each["rows"]))
    assert (found["process"], found["fields"]["term_kind"], system.alerts(instance)) == ("terminal_command", kind, [])


def test_s3_02_silent_terminal_is_offline(system: WholeSystem) -> None:
    instance = terminal(system, "substation", froze=ago(hours=51))
    system.wait_for_alerts(instance, ("A25", "WARN"), ("A25", "ALARM"))
