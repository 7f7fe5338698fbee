"""What a message says: an SMS as `short_text` has it, a mail as a table. Pure."""

import html
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.notice import Notice
from sinks.delivery import Delivery
from sinks.routing import address_of
from sinks.short_text import MOST_PARTS, printable, short_text
from sinks.sink import Message

SIGNATURE = "【业扩管控】"
_LABELS = {"CRITICAL": "严重告警", "ALARM": "告警", "WARN": "预警", "INFO": "提示"}
_COLOURS = {"CRITICAL": "#8b0000", "ALARM": "#c0392b", "WARN": "#b9770e", "INFO": "#555555"}
_RANK = {severity: rank for rank, severity in enumerate(_LABELS)}
_FAR = 1 << 62  # sorts a missing deadline after every real one
_LAST_SECOND = 253_402_271_999_000  # 9999-12-31 in every zone: the last day that datetime can show
_COLUMNS = ("级别", "规则", "编号", "单位", "内容", "时限", "发生时间")


def compose(delivery: Delivery, zone: ZoneInfo, *, most_parts: int = MOST_PARTS) -> Message:
    """The message for a delivery; times are shown in `zone`. `most_parts`: of an SMS for several notices."""
    notices = delivery.notices
    is_mail = delivery.channel == "mail"
    return Message(
        msg_id=delivery.msg_id,
        channel=delivery.channel,
        recipient=delivery.recipient,
        address=address_of(notices[-1]) or "",
        text=printable(mail_text(notices, zone)) if is_mail else short_text(in_one_message(notices), most_parts),
        subject=printable(mail_subject(notices)) if is_mail else "",
        html=printable(mail_html(notices, zone)) if is_mail else "",
        notices=notices,
    )


def in_one_message(notices: Sequence[Notice]) -> Sequence[Notice]:
    """Give them in the order in which an SMS tells them: of one group as they came, else the gravest first."""
    is_one_group = notices[0].group is not None and all(notice.group == notices[0].group for notice in notices)
    return notices if is_one_group else _sorted(notices)


def mail_subject(notices: Sequence[Notice]) -> str:
    """`【业扩管控】3 条告警、5 条预警待处理`."""
    counts = Counter(notice.severity for notice in notices)
    severities = sorted(counts, key=_rank)
    parts = [f"{counts[severity]} 条{_LABELS.get(severity, severity)}" for severity in severities]
    return f"{SIGNATURE}{'、'.join(parts)}待处理"


def mail_text(notices: Sequence[Notice], zone: ZoneInfo) -> str:
    """One line per notice, the gravest and most urgent first."""
    lines = [mail_subject(notices), ""]
    for notice in _sorted(notices):
        due = f"（时限 {local_time(notice.due_at, zone)}）" if notice.due_at is not None else ""
        lines.append(f"[{_LABELS.get(notice.severity, notice.severity)}] {notice.text}{due}{_late(notice)}")
    return "\n".join(lines) + "\n"


def label_of(severity: str) -> str:
    """Give a severity as people read it; one that is not known as it stands."""
    return _LABELS.get(severity, severity)


def mail_html(notices: Sequence[Notice], zone: ZoneInfo) -> str:
    """A mail with a table of the notices."""
    return page(alert_table(notices, zone))


def alert_table(notices: Sequence[Notice], zone: ZoneInfo) -> str:
    """A table of the notices, the gravest and most urgent first; each row carries its `data-alert` id."""
    head = "".join(f'<th align="left">{column}</th>' for column in _COLUMNS)
    rows = "\n".join(_html_row(notice, zone) for notice in _sorted(notices))
    return (
        f"<p>{html.escape(mail_subject(notices))}：</p>\n"
        '<table border="1" cellpadding="6" cellspacing="0" style="border-collapse:collapse;font-size:14px">\n'
        f'<thead><tr style="background:#eef2f6">{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>'
    )


def page(body: str) -> str:
    """Give the HTML of a mail with what it says."""
    return (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"></head>\n'
        f'<body style="font-family:sans-serif">{body}\n'
        '<p style="color:#777777;font-size:12px">本邮件由系统自动发送，请勿直接回复。</p></body></html>\n'
    )


def _html_row(notice: Notice, zone: ZoneInfo) -> str:
    label = _LABELS.get(notice.severity, notice.severity)
    cells = (
        notice.rule,
        notice.instance,
        notice.org_no or "",
        notice.text + _late(notice),
        "" if notice.due_at is None else local_time(notice.due_at, zone),
        local_time(notice.at, zone),
    )
    colour = _COLOURS.get(notice.severity, _COLOURS["INFO"])
    return (
        f'<tr data-alert="{html.escape(notice.alert_id)}">'
        f'<td style="color:{colour};font-weight:bold;white-space:nowrap">{html.escape(label)}</td>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )


def local_time(at: int, zone: ZoneInfo) -> str:
    """`2026-03-09 14:30`; the end of a day as `2026-03-09 24:00`, which people do not take for the next day."""
    at += (at + 1) % 60_000 == 0  # a date is kept as the last millisecond of its day
    moment = datetime.fromtimestamp(max(0, min(at, _LAST_SECOND - 86_400_000)) / 1000, UTC).astimezone(zone)
    if (moment.hour, moment.minute) == (0, 0):
        return f"{moment - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{moment:%Y-%m-%d %H:%M}"


def _late(notice: Notice) -> str:
    return "（补发）" if notice.is_late else ""


def _sorted(notices: Sequence[Notice]) -> list[Notice]:
    return sorted(notices, key=lambda notice: (_rank(notice.severity), notice.due_at or _FAR, notice.at, notice.key))


def _rank(severity: str) -> int:
    return _RANK.get(severity, len(_RANK))
