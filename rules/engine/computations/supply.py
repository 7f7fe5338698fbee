"""Whose supply is off, and who has paid what is owed: disconnection and reconnection (domain.md P12, P13)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from rules.engine.computations.registry import computation
from rules.engine.deadlines import usable
from rules.engine.rows import Found, Rows, SubjectRow, number

FAILED = ("failed", "FAILED", "timeout", "TIMEOUT")
"""Results of a command that was answered and not carried out, if the rule does not name them."""
BILL = ("amount", "issued_at", "due_at", "reversed_bill_no")
PAYMENT = ("bill_no", "amount", "paid_at", "cancelled_at")


@computation(
    bill=BILL,
    settlement=PAYMENT,
    stop_command=("sent_at", "ack_at", "result"),
    restore_command=("sent_at", "ack_at", "result"),
)
def paid_while_off(rows: Rows, row: SubjectRow, *, failed: list[str] | None = None) -> Found | None:
    """Find the payment of a customer who is off by which nothing is owed any more; a part payment is none.

    Where nothing is known to be owed it is the last before supply comes back. Off is whose stop was sent before the
    payment, even if it was carried out after it, and who was not restored in between; also whom a command restores
    after it: a restore without a known stop is normal. `failed` are the results of a command that was answered and
    not carried out.
    """
    paid_at = usable(row.fields.get("paid_at"))
    if paid_at is None:
        return None
    stops = [(acked, sent) for sent, acked in _carried_out(rows, "stop_command", failed or FAILED) if sent <= paid_at]
    stopped, began = max(stops, default=(None, 0))
    restores = sorted(acked for _, acked in _carried_out(rows, "restore_command", failed or FAILED))
    if stopped is None or any(stopped <= t < paid_at for t in restores):
        sent = (usable(each.fields.get("sent_at")) for each in rows.of("restore_command"))
        if not any(t >= paid_at for t in sent if t is not None):
            return None
        began = max((t for t in restores if t < paid_at), default=0)
    back_at = next((t for t in restores if t >= paid_at), None)
    paid = _paid(rows)
    off = [each for each in paid if began <= each[0] and (each[0] <= paid_at or back_at is None or each[0] < back_at)]
    return Found() if _settling(rows, [each for each in paid if each[0] < began], off) == row.key else None


@computation(bill=BILL, settlement=PAYMENT)
def nothing_owed(rows: Rows, row: SubjectRow, *, at: str) -> Found | None:
    """Find that all bills that were due at the time `at` of the row were paid before it, as far as they are known."""
    time = usable(row.fields.get(at))
    return Found() if time is not None and not _owed(rows, time, [p for p in _paid(rows) if p[0] < time]) else None


Paid = tuple[int, str, SubjectRow]
"""When it was paid, its number, and the row."""


def _paid(rows: Rows) -> list[Paid]:
    """Give the payments that were not cancelled, in order."""
    there = (each for each in rows.of("settlement") if each.fields.get("cancelled_at") is None)
    times = ((usable(each.fields.get("paid_at")), each) for each in there)
    return sorted(((t, each.key or "", each) for t, each in times if t is not None), key=lambda paid: paid[:2])


def _settling(rows: Rows, before: Sequence[Paid], off: Sequence[Paid]) -> str | None:
    """Give which of the payments of a customer who is off settles the debt; None: none does yet."""
    if off and not _owed(rows, off[0][0], before):
        return off[-1][1]  # nothing is known to be owed
    last = (n for n, (at, _, _) in enumerate(off) if not _owed(rows, at, [*before, *off[: n + 1]]))
    return next((off[n][1] for n in last), None)


def _owed(rows: Rows, at: int, paid: Sequence[Paid]) -> Decimal:
    """Give what these payments leave open of the bills that are due at `at` (yuan).

    A payment whose amount is not known pays its bill. What names no bill counts for all, from the issue of the oldest
    that is open on.
    """
    bills = rows.of("bill")
    reversed_bills = {bill.fields.get("reversed_bill_no") for bill in bills}
    owed, since = Decimal(0), at
    for bill in bills:
        amount, due = number(bill.fields.get("amount")), usable(bill.fields.get("due_at"))
        if (
            amount is None
            or due is None
            or due > at
            or bill.key in reversed_bills
            or bill.fields.get("reversed_bill_no")
        ):
            continue
        left = amount - _sum([each for _, _, each in paid if each.fields.get("bill_no") == bill.key], amount)
        if left > 0:
            owed, since = owed + left, min(since, usable(bill.fields.get("issued_at")) or due)
    free = [each for time, _, each in paid if each.fields.get("bill_no") is None and time >= since]
    return max(owed - _sum(free, owed), Decimal(0))


def _sum(payments: Sequence[SubjectRow], unknown: Decimal) -> Decimal:
    """Add up payments; one of which the amount is not known stands for `unknown`."""
    return sum(
        (amount if (amount := number(each.fields.get("amount"))) is not None else unknown for each in payments),
        Decimal(0),
    )


def _carried_out(rows: Rows, entity: str, failed: Collection[str]) -> list[tuple[int, int]]:
    """Give when commands were sent and acknowledged; what was not known to be sent before, was with the latter."""
    done = (each.fields for each in rows.of(entity) if each.fields.get("result") not in failed)
    pairs = [(usable(fields.get("sent_at")), usable(fields.get("ack_at"))) for fields in done]
    return [(acked if sent is None else min(sent, acked), acked) for sent, acked in pairs if acked is not None]
