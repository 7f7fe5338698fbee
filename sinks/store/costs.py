"""What each unit's messages came to: those that a carrier or a mail server took, and may ask money for."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select

from sinks.sms.parts import split
from sinks.store import tables

_TAKEN = ("delivered", "unknown")
_AT_ONCE = 10_000
"""Rows that the database hands over at a time: a year has ten million."""


class UnitCosts(msgspec.Struct):
    """Of one unit."""

    org_no: str
    """Empty: of no unit."""
    sms: int = 0
    parts: int = 0
    """What carriers count: an SMS of more than 70 characters is several."""
    unknown: int = 0
    """SMS among them of which no answer came: a carrier may have taken them."""
    mails: int = 0


class _Sent(msgspec.Struct, frozen=True):
    """One message, of the unit of its first notice."""

    org_no: str
    channel: str
    state: str
    parts: int


def read_costs(connection: Connection, since: int, until: int) -> list[UnitCosts]:
    """Count the messages whose first notice came from `since` on and before `until` (epoch ms), by unit."""
    units: dict[str, UnitCosts] = {}
    for sent in _sent(connection, since, until):
        unit = units.setdefault(sent.org_no, UnitCosts(sent.org_no))
        if sent.channel == "mail":
            unit.mails += 1
        else:
            unit.sms += 1
            unit.parts += sent.parts
            unit.unknown += sent.state == "unknown"
    return [units[org_no] for org_no in sorted(units)]


def _sent(connection: Connection, since: int, until: int) -> Iterator[_Sent]:
    columns = tables.notifications.c
    # Whole messages: what was gathered before and after `since` or `until` counts once, where its first notice is.
    near = select(columns.msg_id).where(columns.added_at >= since, columns.added_at < until)
    question = (
        select(
            columns.msg_id, columns.channel, columns.org_no, columns.state, columns.text, columns.receipt,
            columns.added_at,
        )
        .where(
            columns.msg_id != "", columns.channel.in_(("sms", "mail")), columns.msg_id.in_(near),
            columns.state.in_(_TAKEN) | (columns.receipt != ""),
        )
        .order_by(columns.msg_id, columns.added_at, columns.key)
    )  # fmt: skip
    last, first, count = "", None, 0
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(question):
        if row.msg_id != last:
            if first is not None and first.added_at >= since:
                yield _message(first, count)
            last, first, count = row.msg_id, row, 0
        count += 1
    if first is not None and first.added_at >= since:
        yield _message(first, count)


def _message(row: object, notices: int) -> _Sent:
    """Count the parts: as many as the carrier named, or as the text of a single notice takes."""
    org_no, channel, state, text, receipt = (
        str(getattr(row, name) or "") for name in ("org_no", "channel", "state", "text", "receipt")
    )
    named = receipt.count(",") + 1
    return _Sent(org_no, channel, state, max(named, len(split(text)) if notices == 1 else 1))
