"""Reading, billing and charging: what is odd about a reading, a bill, a closing (domain.md 4.5, A01 to A09, A26).

Rows of one customer: `reading` (a register and month each), `bill`, `meter`, `billing_flow` (orders that change
bills), `customer_application`. A cycle is named by its month (`ym`, 202603 or 2026-03).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter

from rules.engine.computations.registry import computation
from rules.engine.periods import month_number
from rules.engine.rows import Asked, Fields, Found, Rows, SubjectRow, number
from rules.state import Place
from schemas import Value

READING = ("meter_no", "reg_code", "ym", "prev_reading", "cur_reading", "energy_kwh")
METER = ("meter_no", "digits", "ct_ratio", "pt_ratio", "install_base", "installed_at")
USUAL_OF = 3
"""Cycles whose mean is the usual energy (domain.md, A04)."""


@computation(reading=READING, meter=METER)
def register_rollover(rows: Rows, row: SubjectRow, *, k: Decimal = Decimal(3)) -> Found | None:
    """Find a register that passed its maximum: it fell, and over the top it is within k times the usual energy."""
    step = _step_over_the_top(rows, row.fields, k)
    if step is None:
        return None
    return Found(f"示数由{row.fields.get('prev_reading')}翻转至{row.fields.get('cur_reading')}，应计{step:f}千瓦时")


@computation(reading=READING, meter=METER)
def reverse_running(rows: Rows, row: SubjectRow, *, k: Decimal = Decimal(3)) -> Found | None:
    """Find a register that fell and did not pass its maximum."""
    if not _has_fallen(row.fields) or _step_over_the_top(rows, row.fields, k) is not None:
        return None
    return Found(f"示数由{row.fields.get('prev_reading')}降至{row.fields.get('cur_reading')}")


@computation(stricter_below=("days",), meter_freeze=("freeze_date", "reg_code", "value"))
def falling_freezes(rows: Rows, row: SubjectRow, *, days: int = 2) -> Found | None:
    """Find a meter of which a register falls on so many days or more; a passed maximum is one such day at most."""
    del row
    registers: dict[Value, list[tuple[int, Decimal, str, SubjectRow]]] = {}
    for each in rows.of("meter_freeze"):
        when, value = each.fields.get("freeze_date"), number(each.fields.get("value"))
        if isinstance(when, int) and value is not None:
            registers.setdefault(each.fields.get("reg_code"), []).append((when, value, each.key or "", each))
    for freezes in registers.values():
        fallen = [
            (one, other) for one, other in pairwise(sorted(freezes, key=itemgetter(0, 1, 2))) if other[1] < one[1]
        ]
        if len(fallen) >= days:
            last = fallen[-days:]
            named = "、".join(rows.calendar.local_date(now[0] - 1) for _, now in last)  # a date is a day's end
            places = tuple(place for pair in last for *_, freeze in pair for place in _places(freeze))
            return Found(f"日冻结示数{len(fallen)}天下降（{named}）", places=places)
    return None


@computation(reading=READING, meter=METER, meter_install=("meter_no", "base_reading", "installed_at"))
def wrong_base(rows: Rows, row: SubjectRow) -> Found | None:
    """Find a reading that does not begin where the last cycle closed or, of a new meter, at what it was fitted with.

    New is a meter that was fitted in the reading's month or the one before; of an older one whose earlier readings
    never came nothing can be said. What the crew read off at the meter counts before what the archive says.
    """
    begins = number(row.fields.get("prev_reading"))
    before = _earlier(rows, row.fields)
    base = number(before[-1].fields.get("cur_reading")) if before else _fitted_base(rows, row.fields)
    if begins is None or base is None or begins == base:
        return None
    places = _places(before[-1]) if before else ()
    return Found(f"起码{begins:f}，{'上期止码' if before else '装表底数'}{base:f}", places=places)


@computation(bill=("ym",), customer_application=("archived_at", "app_no"))
def business_in_cycle(rows: Rows, row: SubjectRow) -> Found | None:
    """Find an application of the customer that was archived inside the bill's cycle."""
    month = month_number(row.fields.get("ym"))
    for application in rows.of("customer_application"):
        archived = application.fields.get("archived_at")
        if isinstance(archived, int) and month_number(rows.calendar.local_date(archived)) == month is not None:
            number_ = application.fields.get("app_no") or application.key
            return Found(f"本周期内业务{number_}归档", places=_places(application))
    return None


@computation(
    bill=("ym", "audit_state", "reversed_bill_no"), reading=("ym", "anomaly_flags"),
    audit_result=("bill_no", "decision", "cause", "decided_at"),
)  # fmt: skip
def error_last_cycle(
    rows: Rows, row: SubjectRow, *, states: list[str] | None = None, released: list[str] | None = None
) -> Found | None:
    """Find that the last cycle had an error: a bill in one of these audit states, or a reading with flags.

    Or its audit decided something else than to release the bill as it was: then its cause is told.
    """
    last = _before(month_number(row.fields.get("ym")))
    wrong, right = states if states is not None else ["error"], released if released is not None else ["release"]
    bills = [bill for bill in rows.of("bill") if month_number(bill.fields.get("ym")) == last is not None]
    for bill in bills:
        if bill.fields.get("audit_state") in wrong:
            return Found(f"上期账单{bill.key}核算出错", places=_places(bill))
    for audit in rows.of("audit_result"):
        is_of_last = audit.fields.get("bill_no") in {bill.key for bill in bills}
        if is_of_last and audit.fields.get("decision") not in (None, *right):
            cause = audit.fields.get("cause") or audit.fields["decision"]
            return Found(f"上期账单{audit.key}审核有误：{cause}", places=_places(audit))
    for reading in rows.of("reading"):
        if month_number(reading.fields.get("ym")) == last is not None and reading.fields.get("anomaly_flags"):
            return Found(f"上期抄表有异常标记{reading.fields['anomaly_flags']}", places=_places(reading))
    return None


@computation(bill=("ym", "reversed_bill_no"), billing_flow=("flow_code", "created_at"))
def flow_last_cycle(rows: Rows, row: SubjectRow, *, flows: list[str], reversed_bills: bool = False) -> Found | None:
    """Find that the last cycle's bill was changed by one of these flows, or (`reversed_bills`) reversed by another."""
    last = _before(month_number(row.fields.get("ym")))
    if last is None:
        return None
    for order in rows.of("billing_flow"):
        created = order.fields.get("created_at")
        if (
            order.fields.get("flow_code") in flows
            and isinstance(created, int)
            and month_number(rows.calendar.local_date(created)) == last
        ):
            return Found(f"上期有{order.fields['flow_code']}工单{order.key}", places=_places(order))
    months = {bill.key: month_number(bill.fields.get("ym")) for bill in rows.of("bill")}
    for bill in rows.of("bill") if reversed_bills else ():
        if months.get(str(bill.fields.get("reversed_bill_no"))) == last:
            return Found(f"上期账单被{bill.key}冲调", places=_places(bill))
    return None


@computation(stricter_below=("over", "at_least"), bill=("ym", "energy_kwh", "amount", "reversed_bill_no"))
def abnormal_change(
    rows: Rows, row: SubjectRow, *, field: str, over: Decimal = Decimal("0.5"), at_least: Decimal = Decimal(100)
) -> Found | None:
    """Find a bill far from the mean of the last cycles, of nothing after use, or of use after nothing.

    `over` is the share of that mean, `at_least` in the field's own unit; both must be passed. Bills that reverse
    others, and those that were reversed, are no cycles.
    """
    month, value = month_number(row.fields.get("ym")), number(row.fields.get(field))
    reversed_bills = {bill.fields.get("reversed_bill_no") for bill in rows.of("bill")}
    before = sorted(
        (earlier, amount, bill.key or "", bill.place)
        for bill in rows.of("bill")
        if bill.key not in reversed_bills
        and not bill.fields.get("reversed_bill_no")
        and (earlier := month_number(bill.fields.get("ym"))) is not None
        and (amount := number(bill.fields.get(field))) is not None
        and month is not None
        and earlier < month
    )
    if value is None or not before or row.fields.get("reversed_bill_no"):
        return None
    usual = [amount for _, amount, *_ in before[-USUAL_OF:]]
    places = tuple(place for *_, place in before[-USUAL_OF:] if place is not None)
    base = sum(usual, Decimal(0)) / len(usual)
    if (value == 0) != (before[-1][1] == 0):
        return Found(f"由{before[-1][1]:f}变为{value:f}", places=places[-1:])
    if abs(value - base) < at_least or abs(value - base) <= over * abs(base):
        return None
    return Found(f"{value:f}，前{len(usual)}期平均{base:.2f}", places=places)


@computation(
    bill=("ym", "calc_at", "issued_at", "audited_by", "audit_state"),
    reading=("ym",), billing_flow=("created_at",), customer_application=("archived_at",), audit_result=("decided_at",),
)  # fmt: skip
def issued_unaudited(
    rows: Rows, row: SubjectRow, *, flagged: list[str] | None = None, grounds: Sequence[Asked] = ()
) -> Found | None:
    """Find a bill issued though no person passed it, while its state or what `grounds` find demands one.

    They are asked about the bill and about the readings of its month, by what lay before the issue: what happened
    after it, the audit could not have seen.
    """
    if row.fields.get("issued_at") is None or row.fields.get("audited_by"):
        return None
    if row.fields.get("audit_state") in (flagged if flagged is not None else ["flagged", "rejected"]):
        return Found("未经人工审核即发行")
    return next(_reasons(rows, row, grounds), None)


def _reasons(rows: Rows, bill: SubjectRow, grounds: Sequence[Asked]) -> Iterator[Found]:
    """Give why a bill had to be audited when it was issued."""
    month = month_number(bill.fields.get("ym"))
    rows = _at_issue(rows, bill.fields)
    readings = [row for row in rows.of("reading") if month_number(row.fields.get("ym")) == month is not None]
    subjects = {"bill": [bill], "reading": readings}
    for rule in grounds:
        for row in subjects.get(rule.each or "", ()):
            found = rule.find(rows, row)
            if found is not None:
                yield found._replace(detail=f"未经人工审核即发行：{rule.title}，{found.detail}")


def _at_issue(rows: Rows, bill: Fields) -> Rows:
    """Give the rows without what happened after a bill was issued; what has no time counts, bills by their month."""
    issued, month = bill.get("issued_at"), month_number(bill.get("ym"))

    def is_before(fields: Fields, *names: str) -> bool:
        time = next((t for name in names if isinstance(t := fields.get(name), int)), None)
        return time is None or not isinstance(issued, int) or time <= issued

    def is_earlier_bill(fields: Fields) -> bool:
        theirs = month_number(fields.get("ym"))
        return (theirs is None or month is None or theirs <= month) and is_before(fields, "calc_at", "issued_at")

    return rows.where(
        {
            "customer_application": lambda fields: is_before(fields, "archived_at"),
            "billing_flow": lambda fields: is_before(fields, "created_at"),
            "audit_result": lambda fields: is_before(fields, "decided_at"),
            "bill": is_earlier_bill,
        }
    )


@computation(
    city_payment=("paid_at", "amount", "cancelled_at"), city_closing=("business_date", "pay_cnt", "total_amt")
)  # fmt: skip
def closing_mismatch(rows: Rows, row: SubjectRow) -> Found | None:
    """Find a closing whose count or sum is not that of the day's charges."""
    day = row.fields.get("business_date")
    if not isinstance(day, int):
        return None
    closed = rows.calendar.local_date(day - 1)  # a date is the end of its local day
    paid_then = [
        (amount, each)
        for each in rows.of("city_payment")
        if isinstance(paid := each.fields.get("paid_at"), int)
        and rows.calendar.local_date(paid) == closed
        and each.fields.get("cancelled_at") is None
        and (amount := number(each.fields.get("amount"))) is not None
    ]
    charges = [amount for amount, _ in paid_then]
    count, total = number(row.fields.get("pay_cnt")), number(row.fields.get("total_amt"))
    if count in (None, len(charges)) and total in (None, sum(charges)):
        return None
    places = tuple(place for _, each in paid_then for place in _places(each))
    return Found(f"结账{count}笔{total}元，收费记录{len(charges)}笔{sum(charges)}元", places=places)


@computation(bank_batch=("item_cnt", "total_amt", "result_at"), bank_batch_item=("amt",))
def batch_mismatch(rows: Rows, row: SubjectRow) -> Found | None:
    """Find a bank file that was answered and whose count or sum is not that of its items."""
    if row.fields.get("result_at") is None:
        return None
    items = [each for each in rows.of("bank_batch_item") if number(each.fields.get("amt")) is not None]
    amounts = [amount for each in items if (amount := number(each.fields.get("amt"))) is not None]
    count, total = number(row.fields.get("item_cnt")), number(row.fields.get("total_amt"))
    if count in (None, len(amounts)) and total in (None, sum(amounts)):
        return None
    places = tuple(place for each in items for place in _places(each))
    return Found(f"批扣文件{count}笔{total}元，明细{len(amounts)}笔{sum(amounts)}元", places=places)


# -- registers


def _has_fallen(reading: Fields) -> bool:
    previous, current = number(reading.get("prev_reading")), number(reading.get("cur_reading"))
    return previous is not None and current is not None and current < previous


def _step_over_the_top(rows: Rows, reading: Fields, k: Decimal) -> Decimal | None:
    """Give the energy of a fallen register if it passed its maximum (kWh); None if it did not, or cannot be told."""
    meter = _meter(rows, reading)
    digits = meter.get("digits")
    previous, current = number(reading.get("prev_reading")), number(reading.get("cur_reading"))
    if previous is None or current is None or current >= previous or not isinstance(digits, int):
        return None
    ratio = (number(meter.get("ct_ratio")) or Decimal(1)) * (number(meter.get("pt_ratio")) or Decimal(1))
    energy = (current + 10**digits - previous) * ratio
    known = [v for each in _earlier(rows, reading) if (v := number(each.fields.get("energy_kwh"))) is not None]
    usual = known[-USUAL_OF:]
    return energy if usual and energy <= k * sum(usual, Decimal(0)) / len(usual) else None


def _earlier(rows: Rows, reading: Fields) -> list[SubjectRow]:
    """Give the readings of the same register in earlier cycles, in order."""
    month = month_number(reading.get("ym"))
    same = [
        (before, each)
        for each in rows.of("reading")
        if each.fields.get("meter_no") == reading.get("meter_no")
        and each.fields.get("reg_code") == reading.get("reg_code")
        and (before := month_number(each.fields.get("ym"))) is not None
        and month is not None
        and before < month
    ]
    return [each for _, each in sorted(same, key=itemgetter(0))]


def _meter(rows: Rows, reading: Fields) -> Fields:
    meters = rows.of("meter")
    return next((each.fields for each in meters if each.fields.get("meter_no") == reading.get("meter_no")), {})


def _fitted_base(rows: Rows, reading: Fields) -> Decimal | None:
    """Give what a meter showed when it was fitted: by the crew's last record of it, else by the archive."""
    month = month_number(reading.get("ym"))
    records = [fields for _, fields in rows.linked("meter_install", "meter_no", reading.get("meter_no"))]
    told = [(fields.get("installed_at"), number(fields.get("base_reading"))) for fields in records]
    known = sorted((at, base) for at, base in told if isinstance(at, int) and base is not None)
    meter = _meter(rows, reading)
    archived = meter.get("installed_at"), number(meter.get("install_base"))
    recent = {month, _before(month)} - {None}
    for fitted, base in (*reversed(known), archived):
        if isinstance(fitted, int) and month_number(rows.calendar.local_date(fitted)) in recent:
            return base
    return None


# -- cycles


def _before(month: int | None) -> int | None:
    return None if month is None else month - 1


def _places(row: SubjectRow) -> tuple[Place, ...]:
    return (row.place,) if row.place is not None else ()
