"""Whose supply is off, and who has paid: disconnection and reconnection (domain.md P12, P13)."""

from __future__ import annotations

from collections.abc import Collection

from rules.engine.computations.registry import computation
from rules.engine.deadlines import usable
from rules.engine.rows import Found, Rows, SubjectRow

FAILED = ("failed", "FAILED", "timeout", "TIMEOUT")
"""Results of a command that was answered and not carried out, if the rule does not name them."""


@computation(
    settlement=("paid_at", "cancelled_at"),
    stop_command=("sent_at", "ack_at", "result"),
    restore_command=("sent_at", "ack_at", "result"),
)
def paid_while_off(rows: Rows, row: SubjectRow, *, failed: list[str] | None = None) -> Found | None:
    """Find a payment of a customer who is off: the last before supply comes back, for that one settles the debt.

    Off is whose stop was sent before the payment, even if it was carried out after it, and who was not restored in
    between; also whom a command restores after it: a restore without a known stop is normal. `failed` are the results
    of a command that was answered and not carried out.
    """
    paid_at = usable(row.fields.get("paid_at"))
    if paid_at is None:
        return None
    stops = _carried_out(rows, "stop_command", failed or FAILED)
    stopped = max((acked for sent, acked in stops if sent <= paid_at), default=None)
    restores = sorted(acked for _, acked in _carried_out(rows, "restore_command", failed or FAILED))
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


def _carried_out(rows: Rows, entity: str, failed: Collection[str]) -> list[tuple[int, int]]:
    """Give when commands were sent and acknowledged; what was not known to be sent before, was with the latter."""
    done = (each.fields for each in rows.of(entity) if each.fields.get("result") not in failed)
    pairs = [(usable(fields.get("sent_at")), usable(fields.get("ack_at"))) for fields in done]
    return [(acked if sent is None else min(sent, acked), acked) for sent, acked in pairs if acked is not None]
