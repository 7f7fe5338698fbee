"""Whose supply is off, and who has paid: disconnection and reconnection (domain.md P12, P13)."""

from __future__ import annotations

from rules.engine.computations.registry import computation
from rules.engine.deadlines import usable
from rules.engine.rows import Found, Rows, SubjectRow

FAILED = frozenset({"failed", "FAILED", "timeout", "TIMEOUT"})
"""Results of a command that was answered and not carried out."""


@computation(
    settlement=("paid_at", "cancelled_at"),
    stop_command=("ack_at", "result"),
    restore_command=("sent_at", "ack_at", "result"),
)
def paid_while_off(rows: Rows, row: SubjectRow) -> Found | None:
    """Find a payment of a customer who is off: the last before supply comes back, for that one settles the debt.

    Off is who was stopped and not restored before the payment, and also whom a command restores after it: a restore
    without a known stop is normal.
    """
    paid_at = usable(row.fields.get("paid_at"))
    if paid_at is None:
        return None
    stopped = max((t for t in _acked(rows, "stop_command") if t <= paid_at), default=None)
    restores = sorted(_acked(rows, "restore_command"))
    sent = [t for each in rows.of("restore_command") if (t := usable(each.fields.get("sent_at"))) is not None]
    is_off = stopped is not None and not any(stopped <= t < paid_at for t in restores)
    if not is_off and not any(t >= paid_at for t in sent):
        return None
    back_at = next((t for t in restores if t >= paid_at), None)
    for other in rows.of("settlement"):
        later = usable(other.fields.get("paid_at")) if other.fields.get("cancelled_at") is None else None
        if (
            later is not None
            and (later, other.key or "") > (paid_at, row.key or "")
            and (back_at is None or later < back_at)
        ):
            return None
    return Found()


def _acked(rows: Rows, entity: str) -> list[int]:
    """Give when commands were carried out."""
    done = (each.fields for each in rows.of(entity) if each.fields.get("result") not in FAILED)
    return [t for fields in done if (t := usable(fields.get("ack_at"))) is not None]
