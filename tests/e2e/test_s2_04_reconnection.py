"""S2-04: from settlement to the acknowledged restore is measured for each; a slow one raises R-T16."""

import re

from tests.helpers.supply_lives import command, owes, payment
from tests.helpers.whole_system import WholeSystem, ago


def stopped(system: WholeSystem, cons_no: str) -> str:
    owes(system, cons_no)
    command(system, cons_no, "open", ago(hours=30), ago(hours=29))
    return f"reconnection:{cons_no}"


def test_s2_04_restore_within_five_minutes_raises_nothing(system: WholeSystem) -> None:
    instance = stopped(system, "S204-quick")
    payment(system, "S204-quick", ago(minutes=20))
    command(system, "S204-quick", "close", ago(minutes=18), ago(minutes=15, seconds=5))
    system.wait_for_row(instance, "restore_command:close-S204-quick")
    assert system.open_rules(instance) == []


def test_s2_04_slow_restore_is_warned_of_late_and_told_as_paid_and_still_off(system: WholeSystem) -> None:
    instance = stopped(system, "S204-slow")
    payment(system, "S204-slow", ago(minutes=31))
    system.wait_for_alerts(instance, ("R-T16", "WARN"), ("R-T16", "ALARM"), ("A17", "ALARM"))
    command(system, "S204-slow", "close", ago(minutes=2), ago(minutes=1))
    system.wait_for_row(instance, "restore_command:close-S204-slow")
    system.wait_for(instance, lambda _: system.open_rules(instance) == [])
    (late,) = [
        each
        for each in system.ask("alerts", "list", "--instance", instance)
        if (each["rule"], each["severity"]) == ("R-T16", "ALARM")
    ]
    assert late["event"] == "closed"
    said = re.search("逾([0-9]+)分钟", late["text"])
    assert said is not None, late["text"]
    assert int(said[1]) >= 15, "half an hour less a quarter, and what the test took"


def test_s2_04_restore_without_a_known_stop_is_normal_input(system: WholeSystem) -> None:
    payment(system, "S204-unknown", ago(minutes=31))
    command(system, "S204-unknown", "close", ago(minutes=30), ago(minutes=29))
    system.wait_for_row("reconnection:S204-unknown", "restore_command:close-S204-unknown")
    assert system.open_rules("reconnection:S204-unknown") == []
