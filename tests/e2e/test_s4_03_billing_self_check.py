"""S4-03: reading and billing check themselves: each anomaly gets exactly its flag, a clean customer none."""

import pytest

from tests.helpers.billing_lives import FIRST_READING, MONTHS, ODD, Customer
from tests.helpers.whole_system import WholeSystem

CLOSED_AT = FIRST_READING + 400 * len(MONTHS)
"""What the meter shows before the odd cycle; it has five digits."""
ODD_CYCLES = {
    # what is read (from, to), what the bill says otherwise, and which flags it gets
    "clean": ((CLOSED_AT, CLOSED_AT + 400), {}, []),
    "reverse": ((CLOSED_AT, CLOSED_AT - 1), {}, ["A02"]),
    "wrong-base": ((CLOSED_AT + 1, CLOSED_AT + 401), {}, ["A03"]),
    "energy-jump": ((CLOSED_AT, CLOSED_AT + 400), {"energy_kwh": "601.00"}, ["A04"]),
    "nothing-after-use": ((CLOSED_AT, CLOSED_AT + 400), {"energy_kwh": "0.00"}, ["A04"]),
    "charge-jump": ((CLOSED_AT, CLOSED_AT + 400), {"amount": "331.00"}, ["A05"]),
}


@pytest.mark.parametrize("what", ODD_CYCLES)
def test_s4_03_each_anomaly_gets_exactly_its_flag(system: WholeSystem, what: str) -> None:
    (begins, ends), bill, flags = ODD_CYCLES[what]
    customer = Customer(system, f"S403-{what}").begin()
    customer.read(ODD, begins, ends)
    customer.bill(ODD, **bill)
    assert customer.flags() == flags


def test_s4_03_register_that_passes_its_maximum_is_a_rollover_and_not_reverse_running(system: WholeSystem) -> None:
    customer = Customer(system, "S403-rollover")
    customer.reading = 99_999 - 400 * len(MONTHS)
    customer.begin()
    customer.read(ODD, 99_999, 399)
    customer.bill(ODD)
    assert customer.flags() == ["A01"]
