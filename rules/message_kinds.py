"""The kinds of message that are not about a rule's finding: what each is for, whom it reaches, what fills it in.

Their ids, M01 to M17, are the ids of their templates (`definitions/templates/messages.yaml`). Docs: docs/sms.md.
"""

from collections.abc import Mapping
from typing import NamedTuple

from rules.wording import GROUP_PARAMETERS


class MessageKind(NamedTuple):
    """One kind."""

    title: str
    to: str
    parameters: frozenset[str]
    may_be_declined: bool = False
    """A customer may do without it (domain.md 6.2); a bill, a stop and a restore everybody is told of."""


def _kind(title: str, to: str, *parameters: str, may_be_declined: bool = False) -> MessageKind:
    return MessageKind(title, to, frozenset(parameters), may_be_declined)


_BILL = ("name", "month", "kwh", "amount")
KINDS: Mapping[str, MessageKind] = {
    "M01": _kind("即时通短信", "anyone", "text", may_be_declined=True),
    "M02": _kind("电费提醒通知", "customer", "name", "month", "amount", "due_date", may_be_declined=True),
    "M03": _kind("电费账单通知", "customer", *_BILL),
    "M04": _kind("停电通知", "customer", "name", "account", "amount", "stop_time"),
    "M05": _kind("余额不足定制短信", "subscriber", "account", "balance", may_be_declined=True),
    "M06": _kind("电费账单定制短信", "subscriber", *_BILL, may_be_declined=True),
    "M07": _kind("短信电费查询", "customer", "account", "amount", "month", "balance"),
    "M08": _kind("催费短信", "customer", "name", "amount", "days_late"),
    "M09": _kind("交费成功确认", "customer", "amount", "channel", "time"),
    "M10": _kind("恢复供电", "meter reader, customer", "account", "address", "time"),
    "M11": _kind("充值结果", "customer", "amount", "balance"),
    "M12": _kind("督办短信", "customer manager", "sup_no", "object", "problem", "deadline", "reply_hint"),
    "M13": _kind("预警管控点短信", "manager, stakeholder", "app_no", "stage", "limit", "time_left"),
    "M14": _kind("互动短信", "customer", "app_no", "stage", "next_step"),
    "M15": _kind("短信提醒", "staff, works unit", "app_no", "stage", "who_acts"),
    "M16": _kind("互动回复", "customer", "request_no"),
    "M17": _kind("宣传", "customer", "text", may_be_declined=True),
}
"""By id."""

SAMPLES: Mapping[str, str] = {
    "text": "计划检修公告请见网上营业厅。", "name": "浙江丁氏机械公司", "month": "2026年2月", "amount": "12345.67元",
    "due_date": "3月20日", "kwh": "15230", "account": "3301000129", "stop_time": "3月25日09:00", "balance": "35.20元",
    "days_late": "12", "channel": "银行代扣", "time": "3月9日14:30", "address": "衢州市柯城区示范路129号",
    "sup_no": "48270366", "object": "公变TG0036", "problem": "现场勘查已超期", "deadline": "3月9日24时",
    "reply_hint": "办结后回复编号", "app_no": "330126000129", "stage": "现场勘查", "limit": "5个工作日",
    "time_left": "1天", "next_step": "供电方案答复", "who_acts": "客户经理", "request_no": "Q20260309001",
    "instance": "330126000129", "severity": "预警", "title": "现场勘查超期", "verdict": "即将到期", "due": "3月9日24时",
    "since": "3月2日09:00", "org": "3340101", "level": "2级", "other": "供电方案答复", "detail": "通知T001致运检部",
    "count": "3", "list": "330126000129、330126000130、330126000131",
}  # fmt: skip
"""A usual value of every parameter, to show what a message looks like and how long it is."""


def parameters_for(template: str) -> frozenset[str]:
    """Give what fills in a template of this id: a kind's own parameters, else those of rules."""
    kind = KINDS.get(template)
    return kind.parameters if kind is not None else GROUP_PARAMETERS
