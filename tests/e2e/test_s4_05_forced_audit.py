"""S4-05: a flagged bill that is issued before a person passed it is told at once, and with one the log shows who."""

from tests.helpers.billing_lives import ODD, Customer
from tests.helpers.whole_system import WholeSystem

ISSUED = "2026-03-29T01:00:00.000000Z"


def flagged(system: WholeSystem, name: str) -> Customer:
    customer = Customer(system, name).begin()
    customer.bill(ODD, energy_kwh="900.00")
    assert customer.flags() == ["A04"]
    return customer


def test_s4_05_flagged_bill_that_is_issued_without_a_person_is_critical(system: WholeSystem) -> None:
    customer = flagged(system, "S405-without")
    customer.bill(ODD, energy_kwh="900.00", issued_at=ISSUED)
    system.wait_for(customer.instance, lambda _: ("A24", "CRITICAL") in system.alerts(customer.instance))


def test_s4_05_flagged_bill_that_a_person_passed_may_be_issued_and_shows_who(system: WholeSystem) -> None:
    customer = flagged(system, "S405-with")
    customer.bill(ODD, energy_kwh="900.00", audited_by="H055", audit_state="passed", issued_at=ISSUED)
    key = f"bill:{customer.cons_no}-{ODD}"
    found = system.wait_for(customer.instance, lambda each: each["rows"][key]["issued_at"] is not None)
    assert found["rows"][key]["audited_by"] == "H055"
    assert customer.flags() == ["A04"]
