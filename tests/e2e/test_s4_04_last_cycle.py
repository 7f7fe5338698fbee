"""S4-04: customers with new or changed business in the cycle, and those with errors or corrections in the last one."""

import pytest

from tests.helpers.billing_lives import LAST, Customer
from tests.helpers.whole_system import WholeSystem

BEGIN_OF_MARCH = "2026-02-28T16:00:00.000000Z"
"""Midnight in Shanghai: the first moment of the odd cycle."""
SECOND_BEFORE = "2026-02-28T15:59:59.000000Z"


@pytest.mark.parametrize(("at", "flags"), [(BEGIN_OF_MARCH, ["A06"]), (SECOND_BEFORE, [])])
def test_s4_04_change_archived_inside_the_cycle_flags_and_one_archived_before_does_not(
    system: WholeSystem, at: str, flags: list[str]
) -> None:
    customer = Customer(system, f"S404-{at[8:10]}-{len(flags)}").begin()
    customer.archive(at)
    customer.system.wait_for(
        customer.instance, lambda found: any("customer_application" in row for row in found["rows"])
    )
    customer.odd()
    assert customer.flags() == flags


@pytest.mark.parametrize(("code", "flag"), [("F30", "A08"), ("F31", "A09"), ("F32", "A09")])
@pytest.mark.parametrize("month", [LAST, "2026-01"])
def test_s4_04_correction_of_the_last_cycle_flags_and_one_two_cycles_back_does_not(
    system: WholeSystem, code: str, flag: str, month: str
) -> None:
    customer = Customer(system, f"S404-{code}-{month}").begin()
    customer.flow(code, f"{month}-10T01:00:00.000000Z")
    customer.system.wait_for(customer.instance, lambda found: any("billing_flow" in row for row in found["rows"]))
    customer.odd()
    assert customer.flags() == ([flag] if month == LAST else [])


def test_s4_04_error_in_the_last_cycle_flags(system: WholeSystem) -> None:
    customer = Customer(system, "S404-error").begin()
    customer.bill(LAST, audit_state="error", issued_at=f"{LAST}-28T16:00:00.000000Z")
    customer.odd()
    assert customer.flags() == ["A07"]
