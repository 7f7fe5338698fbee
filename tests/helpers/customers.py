"""Customers as the sources tell of them, and what arrived on their mobiles and on those of staff."""

import time
from typing import Any

from tests.helpers.tasks import wait_for_sms
from tests.helpers.whole_system import WholeSystem, ago, example

AMOUNT = "86.50"


def customer(system: WholeSystem, cons_no: str, mobile: str) -> str:
    """Tell the archive of a customer; give the instance."""
    row = example("mkt", "mkt_cons", cons_no=cons_no, mobile=mobile, cust_name="丁一", tg_no=None, line_no=None)
    system.capture("mkt", "mkt_cons", row)
    return f"billing:{cons_no}"


def bill(system: WholeSystem, cons_no: str, **changes: Any) -> None:
    """Tell a bill of the customer that was issued just now and is due in ten days."""
    usual = {
        "bill_no": f"BI-{cons_no}", "cons_no": cons_no, "ym": "2026-02", "energy_kwh": "160.00", "amount": AMOUNT,
        "issued_at": ago(seconds=1), "due_at": ago(days=-10), "reversed_bill_no": None,
    }  # fmt: skip
    system.capture("mkt", "mkt_bill", example("mkt", "mkt_bill", **usual | changes))


def payment(system: WholeSystem, cons_no: str, **changes: Any) -> None:
    """Tell that the customer paid that bill just now, through a bank."""
    usual = {
        "pay_no": f"PA-{cons_no}", "cons_no": cons_no, "bill_no": f"BI-{cons_no}", "amount": AMOUNT,
        "channel_code": "BANK", "paid_at": ago(seconds=1), "bank_batch_no": None, "cancelled_at": None,
    }  # fmt: skip
    system.capture("mkt", "mkt_payment", example("mkt", "mkt_payment", **usual | changes))


def stakeholder(system: WholeSystem, no: str, mobile: str, **changes: Any) -> None:
    """Tell of a person who is to be told by SMS."""
    row = example("mkt", "stakeholder", stakeholder_id=no, person_no=no, mobile=mobile, mail=None, valid_from=None,
                  valid_to=None, app_no=None, prj_no=None)  # fmt: skip
    system.capture("mkt", "stakeholder", row | changes)


def texts(system: WholeSystem, mobile: str) -> list[str]:
    """Give what arrived on a mobile, in order."""
    return [sms.text for sms in system.sms.received if sms.mobile == mobile]


def texts_until(system: WholeSystem, mobile: str, part: str) -> list[str]:
    """Wait for a message with `part` in it; give all that arrived on the mobile by then."""
    wait_for_sms(system, mobile, part)
    return texts(system, mobile)


def quiet_for(system: WholeSystem, mobile: str, seconds: float = 2.0) -> list[str]:
    """Give what arrived on a mobile once nothing has come for so long: what must not come has had its time."""
    known, since = texts(system, mobile), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.1)
        if (now := texts(system, mobile)) != known:
            known, since = now, time.monotonic()
    return known
