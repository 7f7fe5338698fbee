"""Builders of notices, deliveries and outboxes for the tests of what leaves."""

from typing import Any
from zoneinfo import ZoneInfo

from schemas.notice import Notice, Recipient
from sinks import Delivery, Message, OutboxPolicy, compose, message_id

NOW = 1_772_413_200_000
"""2026-03-02T01:00:00Z, a Monday morning in Shanghai."""
MOBILE = "13800138001"
MAIL = "wang.wu@example.com"
SHANGHAI = ZoneInfo("Asia/Shanghai")
WANG = Recipient(no="M001", name="王五", mobile=MOBILE, mail=MAIL)
CHANNELS = OutboxPolicy(channels=frozenset({"sms", "mail"}), mail_digest_s=0, group_wait_s=2)


def notice(alert: str = "a1", **changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "alert_id": alert,
        "rule": "R-T03",
        "severity": "WARN",
        "process": "hv_connection",
        "instance": f"APP-{alert}",
        "org_no": "33401",
        "recipient": WANG,
        "channel": "sms",
        "text": f"【业扩管控】申请 APP-{alert} 勘查环节将于3月9日到期，请及时处理。",
        "at": NOW,
        "due_at": NOW + 86_400_000,
    }
    return Notice(**(fields | changes))


def delivery(*notices: Notice, attempt: int = 1) -> Delivery:
    return Delivery(msg_id=message_id(each.key for each in notices), attempt=attempt, notices=notices)


def message(*notices: Notice) -> Message:
    return compose(delivery(*notices), SHANGHAI)
