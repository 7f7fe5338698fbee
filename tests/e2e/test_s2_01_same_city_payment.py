"""S2-01: a payment at another office clears the debt and is one payment; the closing equals the sum of the charges."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.helpers.supply_lives import owes, payment
from tests.helpers.whole_system import WholeSystem, ago, example

OFFICE = "3340299"
"""Not the customer's."""
TODAY = datetime.now(ZoneInfo("Asia/Shanghai"))


def charge(system: WholeSystem, cashier: str, pay_no: str, amount: str) -> None:
    row = example(
        "city", "city_pay", pay_no=pay_no, office_no=OFFICE, cashier_no=cashier, amount=amount, cancelled_at=None,
        paid_at=TODAY.astimezone(UTC).isoformat(),
    )  # fmt: skip
    system.capture("city", "city_pay", row)


def close(system: WholeSystem, cashier: str, count: int, total: str) -> None:
    row = example(
        "city", "city_close", close_no=f"CL-{cashier}", office_no=OFFICE, cashier_no=cashier, pay_cnt=count,
        total_amt=total, business_date=TODAY.date().isoformat(), closed_at=TODAY.astimezone(UTC).isoformat(),
    )  # fmt: skip
    system.capture("city", "city_close", row)


def test_s2_01_payment_at_another_office_settles_the_bill_once(system: WholeSystem) -> None:
    instance = owes(system, "S201-other")
    system.wait_for_alerts(instance, ("A19", "WARN"))
    payment(system, "S201-other", ago(minutes=5))
    payment(system, "S201-other", ago(minutes=5))
    system.wait_for_row(instance, "settlement:PA-S201-other")
    found = system.wait_for(instance, lambda _: "A19" not in system.open_rules(instance))
    assert [row for row in found["rows"] if row.startswith("settlement:")] == ["settlement:PA-S201-other"]


def test_s2_01_closing_that_equals_the_charges_is_silent_and_another_is_a_finding(system: WholeSystem) -> None:
    for cashier, total in (("S201-right", "150.50"), ("S201-wrong", "150.00")):
        charge(system, cashier, f"P1-{cashier}", "100.50")
        charge(system, cashier, f"P2-{cashier}", "50.00")
        close(system, cashier, 2, total)
    system.wait_for_alerts(f"cashier:{OFFICE}:S201-wrong", ("A26", "ALARM"))
    system.wait_for_row(f"cashier:{OFFICE}:S201-right", "city_closing:CL-S201-right")
    assert system.alerts(f"cashier:{OFFICE}:S201-right") == []
