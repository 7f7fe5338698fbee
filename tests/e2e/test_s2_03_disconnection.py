"""S2-03: an order to disconnect and what a payment does to it, before it is sent, under way, and after."""

from tests.helpers.supply_lives import command, owes, payment
from tests.helpers.whole_system import WholeSystem, ago


def test_s2_03_order_that_is_acknowledged_in_time_raises_nothing_about_the_command(system: WholeSystem) -> None:
    instance = owes(system, "S203-ack")
    command(system, "S203-ack", "open", ago(minutes=30), ago(minutes=29))
    system.wait_for_row(instance, "stop_command:open-S203-ack")
    assert {rule for rule, _ in system.alerts(instance)} & {"R-T25", "A18"} == set()


def test_s2_03_order_without_acknowledgement_is_warned_of_and_late(system: WholeSystem) -> None:
    instance = owes(system, "S203-silent")
    command(system, "S203-silent", "open", ago(minutes=11), None)
    system.wait_for_alerts(instance, ("R-T25", "WARN"), ("R-T25", "ALARM"))


def test_s2_03_payment_before_sending_cancels_so_a_command_after_it_is_a_finding(system: WholeSystem) -> None:
    kept, broken = owes(system, "S203-paid"), owes(system, "S203-ignored")
    payment(system, "S203-paid", ago(minutes=40))
    payment(system, "S203-ignored", ago(minutes=40))
    command(system, "S203-ignored", "open", ago(minutes=30), ago(minutes=29))
    system.wait_for_alerts(broken, ("A18", "ALARM"))
    system.wait_for_row(kept, "settlement:PA-S203-paid")
    assert "A18" not in {rule for rule, _ in system.alerts(kept)}


def test_s2_03_payment_between_sending_and_acknowledgement_ends_with_the_supply_on(system: WholeSystem) -> None:
    instance, back = owes(system, "S203-crossed"), "reconnection:S203-crossed"
    command(system, "S203-crossed", "open", ago(minutes=30), None)
    payment(system, "S203-crossed", ago(minutes=29, seconds=30))
    command(system, "S203-crossed", "open", ago(minutes=30), ago(minutes=29))
    system.wait_for_alerts(instance, ("A18", "ALARM"))
    command(system, "S203-crossed", "close", ago(minutes=28), ago(minutes=27))
    system.wait_for_row(back, "restore_command:close-S203-crossed")
    assert system.open_rules(back) == []
