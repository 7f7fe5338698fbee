"""Money of projects: what was charged and did not come in (domain.md 4.5, A22)."""

from __future__ import annotations

from rules.engine.computations.registry import computation
from rules.engine.rows import Found, Rows, SubjectRow, number


@computation(project_charge=("receivable_amt", "received_amt"))
def charge_open(rows: Rows, row: SubjectRow) -> Found | None:  # noqa: ARG001 - every computation takes the rows
    """Find a charge of which less was received than is due."""
    due, received = number(row.fields.get("receivable_amt")), number(row.fields.get("received_amt"))
    if due is None or due <= (received or 0):
        return None
    return Found(f"应收{due}元，实收{received or 0}元")
