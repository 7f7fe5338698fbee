"""Reports for tests: an order, what the store would say of it, and a mail taken apart."""

import email
import email.policy
from collections.abc import Sequence
from email.message import EmailMessage
from io import BytesIO
from typing import Any

from openpyxl import load_workbook

from schemas import AlertEvent, IndicatorValue, ReportIndicator, ReportOrder, ReportUnit, epoch_ms
from sinks.store import Findings

ON_TIME = ReportIndicator("I122", "方案及时率", "%", is_ratio=True)
TAKEN = ReportIndicator("I111", "受理户数", "户", is_ratio=False)


def order(**changes: Any) -> ReportOrder:
    """Give the order of a weekly report about a unit with two stations."""
    fields: dict[str, Any] = {
        "report": "week", "title": "业扩周报", "org_no": "33401", "name": "衢州供电公司", "period": "2026-W10",
        "first": "2026-03-02", "last": "2026-03-08", "begin": epoch_ms("2026-03-02T00:00+08:00"),
        "end": epoch_ms("2026-03-09T00:00+08:00"), "indicators": (ON_TIME, TAKEN),
        "units": (ReportUnit("3340101", "柯城供电所", 1), ReportUnit("3340102", "江山供电所", 1)),
        "anomalies": "raised", "rows": 50, "link": "",
    }  # fmt: skip
    return ReportOrder(**(fields | changes))


def value(code: str, org_no: str, date: str, numerator: int, denominator: int = 0) -> IndicatorValue:
    return IndicatorValue(
        indicator=code, org_no=org_no, date=date, dims={}, numerator=numerator, denominator=denominator, value=None,
        at="",
    )  # fmt: skip


def anomaly(number: int, org_no: str, at: str, **changes: Any) -> AlertEvent:
    fields: dict[str, Any] = {
        "alert_id": f"a{number}", "event": "raised", "rule": "R-T04", "rule_version": 1, "severity": "ALARM",
        "process": "hv_connection", "instance": f"33260000{number:04}", "stage": "SCHEME", "visit": 1,
        "raised_at": epoch_ms(at), "due_at": epoch_ms(at), "org_no": org_no, "dept": "营销部", "person": "M001",
        "object": None, "text": f"申请{number}的供电方案已超期", "evidence": (),
    }  # fmt: skip
    return AlertEvent(**(fields | changes))


def findings(figures: Sequence[IndicatorValue], anomalies: Sequence[AlertEvent]) -> Findings:
    places = tuple((each.org_no or "", each.raised_at) for each in anomalies)
    return Findings(tuple(figures), places, tuple(anomalies))


def opened(content: bytes) -> EmailMessage:
    """Give a mail's bytes as a mail."""
    return email.message_from_bytes(content, EmailMessage, policy=email.policy.default)


def sheets(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Give the rows of each sheet of a workbook."""
    book = load_workbook(BytesIO(data), read_only=True)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def attached(mail: EmailMessage) -> dict[str, bytes]:
    """Give the attachments of a mail by name."""
    return {str(part.get_filename()): part.get_payload(decode=True) for part in mail.iter_attachments()}  # type: ignore[misc]
