"""Customers who owe, are disconnected, pay and are restored (domain.md P12, P13), as the sources tell it."""

from tests.helpers.whole_system import WholeSystem, ago, example


def owes(system: WholeSystem, cons_no: str) -> str:
    """Tell a bill that is overdue and the arrears; give the instance."""
    bill = example(
        "mkt", "mkt_bill", bill_no=f"BI-{cons_no}", cons_no=cons_no, ym="2026-01", reversed_bill_no=None,
        audit_state="passed", audited_by="H055", issued_at=ago(days=40), due_at=ago(days=1),
    )  # fmt: skip
    system.capture("mkt", "mkt_bill", bill)
    system.capture("mkt", "arrears", example("mkt", "arrears", cons_no=cons_no, oldest_due_at=ago(days=1)))
    return f"disconnection:{cons_no}"


def command(system: WholeSystem, cons_no: str, kind: str, sent_at: str, ack_at: str | None) -> None:
    row = example(
        "acq", "term_cmd", cmd_no=f"{kind}-{cons_no}", cons_no=cons_no, cmd_type=kind, sent_at=sent_at, ack_at=ack_at,
        result="success" if ack_at else None,
    )  # fmt: skip
    system.capture("acq", "term_cmd", row)


def payment(system: WholeSystem, cons_no: str, paid_at: str) -> None:
    row = example(
        "mkt", "mkt_payment", pay_no=f"PA-{cons_no}", cons_no=cons_no, bill_no=f"BI-{cons_no}", paid_at=paid_at,
        cancelled_at=None, bank_batch_no=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_payment", row)
