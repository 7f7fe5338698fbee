"""Alert events: the format of `stagewatch.alerts` (contract, section 5) and how an id is made."""

import hashlib
from typing import Literal

import msgspec

Severity = Literal["INFO", "WARN", "ALARM", "CRITICAL"]
AlertEventKind = Literal["raised", "escalated", "acknowledged", "cleared", "closed", "reopened"]
SEVERITIES: tuple[Severity, ...] = ("INFO", "WARN", "ALARM", "CRITICAL")


class AlertObject(msgspec.Struct, frozen=True, gc=False):
    """The grid equipment that an alert is about."""

    type: str
    """`pub_trans` or `dist_line`."""
    no: str
    item: str
    """The negative-list item (`nl_no`)."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """A record that an alert rests on."""

    topic: str
    partition: int
    offset: int


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event in the life of one rung of an alert. Times are epoch ms here, ISO 8601 on the wire."""

    alert_id: str
    event: AlertEventKind
    rule: str
    rule_version: int
    severity: Severity
    process: str
    instance: str
    stage: str | None
    visit: int | None
    raised_at: int
    due_at: int | None
    org_no: str | None
    dept: str | None
    person: str | None
    object: AlertObject | None
    text: str
    evidence: tuple[Evidence, ...]
    provisional: bool = False
    """`due_at` was reckoned in workdays of a year whose calendar is not published yet; on the wire only if so."""


def alert_id(  # noqa: PLR0913, PLR0917 - the id is a function of exactly these (contract, section 5)
    rule: str, process: str, instance: str, stage: str | None, visit: int | None, item: str | None, rung: str
) -> str:
    """Give the deterministic id of one rung: 32 hexadecimal digits, same inputs, same id, everywhere."""
    parts = (rule, process, instance, stage or "", "" if visit is None else str(visit), item or "", rung)
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
