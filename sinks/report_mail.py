"""Puts the reports that a message stands for into it: reads their figures, and makes pictures and workbooks of them.

Called by `Senders` in a thread: it waits for the store. A text message has its figures in a sentence. What a message
says is what stands when it is made; when and to whom it goes was decided before, and does not rest on the store.
"""

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from schemas.notice import Notice
from schemas.report import ReportOrder
from sinks.delivery import Delivery
from sinks.report import MOST_ANOMALIES, Tables, shown, tables_of
from sinks.report_book import XLSX, workbook
from sinks.report_brief import report_brief
from sinks.report_chart import Bar, chart
from sinks.report_html import report_html, report_text
from sinks.sink import Message, Part
from sinks.store.rows import Findings
from sinks.wording import SIGNATURE, alert_table, mail_subject, mail_text, page

Finder = Callable[[ReportOrder, int], Findings]
"""Gives what a report rests on, and at most so many of its anomalies. Raises TryLater."""


class ReportMails:
    """Fills mails in; used by several threads."""

    def __init__(self, find: Finder, *, zone: str = "Asia/Shanghai") -> None:
        self._find, self._zone = find, ZoneInfo(zone)

    def fill(self, message: Message) -> Message:
        """Give the message with its reports in it, behind what else it says. Raises TryLater: the store is away."""
        orders = [notice.report for notice in message.notices if notice.report is not None]
        others = [notice for notice in message.notices if notice.report is None]
        return filled(message, others, [self._tables(order) for order in orders], self._zone)

    def brief(self, delivery: Delivery) -> Delivery:
        """Give a delivery of text messages with what its reports say. Raises TryLater: the store is away."""
        told = tuple(each if each.report is None else self._told(each, each.report) for each in delivery.notices)
        return msgspec.structs.replace(delivery, notices=told)

    def _told(self, notice: Notice, order: ReportOrder) -> Notice:
        return msgspec.structs.replace(notice, text=report_brief(self._tables(order), notice))

    def _tables(self, order: ReportOrder) -> Tables:
        return tables_of(order, self._find(order, MOST_ANOMALIES), self._zone)


def filled(message: Message, others: Sequence[Notice], reports: Sequence[Tables], zone: ZoneInfo) -> Message:
    """Give a message that says `others` as a table, and then each report. Pure."""
    subjects = [f"{SIGNATURE}{tables.order.title} {tables.order.place}" for tables in reports]
    bodies, texts = [], []
    parts: list[Part] = []
    if others:
        subjects.insert(0, mail_subject(others))
        bodies.append(alert_table(others, zone))
        texts.append(mail_text(others, zone))
    for number, tables in enumerate(reports, start=1):
        cid = f"chart{number}.{message.msg_id}"
        parts += _parts(tables, zone, cid)
        bodies.append(report_html(tables, zone, cid))
        texts.append(report_text(tables, zone))
    return msgspec.structs.replace(
        message, subject="；".join(subjects), html=page("\n".join(bodies)), text="\n".join(texts), parts=tuple(parts),
        topic=reports[0].order.report if len(reports) == 1 and not others else "",
    )  # fmt: skip


def _parts(tables: Tables, zone: ZoneInfo, cid: str) -> list[Part]:
    order = tables.order
    name = f"{order.title}_{order.org_no}_{order.period}"
    return [
        Part(name=f"{order.report}.png", kind="image/png", data=chart(_bars(tables)), cid=cid),
        Part(name=f"{name}.xlsx", kind=XLSX, data=workbook(tables, zone)),
    ]


def _bars(tables: Tables) -> list[Bar]:
    """Draw the first indicator, or the anomalies; what has no value has no bar."""
    columns = tables.order.indicators
    bars = []
    for number, line in enumerate(tables.units, start=1):
        value = line.values[0] if columns else float(line.anomalies)
        said = shown(value, columns[0]) if columns else str(line.anomalies)
        bars.append(Bar(number, value or 0.0, said.replace("–", "-")))
    return bars
