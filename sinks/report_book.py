"""The workbook of a report: the tables of the mail with bare numbers, and more anomalies than a mail lists.

Text from other people's tables is always text in it: a cell that begins with `=` must not be reckoned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sinks.report import Line, Tables
from sinks.wording import label_of, local_time

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COLUMNS = ("级别", "规则", "流程", "编号", "环节", "单位", "责任部门", "责任人", "发生时间", "时限", "状态", "内容")
_STATES = {
    "raised": "未结", "reopened": "重新打开", "escalated": "已升级", "acknowledged": "已签收", "cleared": "已消除",
    "closed": "已办结",
}  # fmt: skip
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
Cell = str | int | float | None


def workbook(tables: Tables, zone: ZoneInfo) -> bytes:
    """Give the file's bytes; times are local to `zone`."""
    from openpyxl import Workbook  # noqa: PLC0415 - a worker that mails no report needs no workbooks

    book = Workbook(write_only=True)
    head = [f"{each.title}（{each.unit}）" for each in tables.order.indicators]
    for title, first, lines in (("按单位", "单位", tables.units), ("按日期", "日期", tables.days)):
        if lines:
            sheet = book.create_sheet(title)
            _write(sheet, [first, *head, "异常数"], (_figures(line, tables) for line in lines))
    _write(book.create_sheet("异常明细"), COLUMNS, anomaly_rows(tables, zone))
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def anomaly_rows(tables: Tables, zone: ZoneInfo) -> Iterator[list[Cell]]:
    """Give the anomalies as lines of `COLUMNS`."""
    for each in tables.anomalies:
        yield [
            label_of(each.severity), each.rule, each.process, each.instance, each.stage, each.org_no, each.dept,
            each.person, local_time(each.raised_at, zone),
            None if each.due_at is None else local_time(each.due_at, zone),
            _STATES[each.event], each.text,
        ]  # fmt: skip


def _figures(line: Line, tables: Tables) -> list[Cell]:
    """Shares are in hundredths, as the head of the column says."""
    pairs = zip(line.values, tables.order.indicators, strict=True)
    values = [None if value is None else value * 100 if each.unit == "%" else value for value, each in pairs]
    return ["  " * line.level + line.label, *values, line.anomalies]


def _write(sheet: WriteOnlyWorksheet, head: Sequence[str], rows: Iterator[list[Cell]]) -> None:
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - see above

    sheet.freeze_panes = "A2"
    sheet.append(list(head))
    for row in rows:
        cells: list[object] = []
        for value in row:
            if not isinstance(value, str):
                cells.append(value)
                continue
            cell = WriteOnlyCell(sheet, _ILLEGAL.sub("\ufffd", value))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
