"""A report as mail shows it: HTML that stands alone but for its picture, and plain text. Pure.

Styles stand in the elements, for mail readers drop everything else. What comes from other people's tables is text.
"""

from collections.abc import Iterator, Sequence
from html import escape
from zoneinfo import ZoneInfo

from sinks.report import Line, Tables, shown
from sinks.report_book import COLUMNS, Cell, anomaly_rows

_TABLE = '<table border="1" cellpadding="5" cellspacing="0" style="border-collapse:collapse;font-size:13px">'
_HEAD = 'style="background:#eef2f6"'


def report_html(tables: Tables, zone: ZoneInfo, picture: str) -> str:
    """Give the report as an HTML fragment; `picture`: the Content-ID of its chart, empty if it has none."""
    order = tables.order
    parts = [
        f'<h2 data-report="{escape(order.report)}" style="font-size:18px">{escape(order.title)}</h2>',
        f"<p>{escape(_head(tables))}</p>",
        f'<p><img src="cid:{picture}" alt="{escape(_caption(tables))}" width="640"><br>{escape(_caption(tables))}</p>'
        if picture
        else "",
        _figures("单位", tables.units, tables),
        _figures("日期", tables.days, tables) if tables.days else "",
        f"<h3>{escape(_list_title(tables))}</h3>",
        _table(COLUMNS, _listed(tables, zone)) if tables.anomalies and order.rows else "",
        f'<p><a href="{escape(order.link)}">在线查看</a></p>' if order.link else "",
    ]
    return "\n".join(part for part in parts if part)


def report_text(tables: Tables, zone: ZoneInfo) -> str:
    """Give the report as plain text."""
    order = tables.order
    lines = [order.title, _head(tables), "", *_text_table("单位", tables.units, tables)]
    if tables.days:
        lines += ["", *_text_table("日期", tables.days, tables)]
    lines += ["", _list_title(tables)]
    lines += ["  ".join(str(cell) for cell in row if cell) for row in _listed(tables, zone)]
    return "\n".join([*lines, *(["", order.link] if order.link else [])]) + "\n"


def _head(tables: Tables) -> str:
    order = tables.order
    return f"单位：{order.name} {order.org_no}；统计期：{order.period}（{order.first} 至 {order.last}）".replace(
        "： ", "："
    )


def _caption(tables: Tables) -> str:
    drawn = tables.order.indicators[0].title if tables.order.indicators else "异常数"
    return f"{drawn}，按下表单位序号"


def _list_title(tables: Tables) -> str:
    what = "未结异常" if tables.order.anomalies == "open" else "本期异常"
    listed = min(len(tables.anomalies), tables.order.rows)
    more = f"，列出最近 {listed} 条，其余见附件" if listed < tables.total else ""
    return f"{what} {tables.total} 条{more}"


def _listed(tables: Tables, zone: ZoneInfo) -> Iterator[list[Cell]]:
    for _, row in zip(range(tables.order.rows), anomaly_rows(tables, zone), strict=False):
        yield row


def _figures(first: str, lines: Sequence[Line], tables: Tables) -> str:
    head = ["#", first, *(f"{each.title}（{each.unit}）" for each in tables.order.indicators), "异常数"]
    return _table(head, ([str(n), *_cells(line, tables)] for n, line in enumerate(lines, start=1)))


def _cells(line: Line, tables: Tables) -> list[Cell]:
    values = [shown(value, each) for value, each in zip(line.values, tables.order.indicators, strict=True)]
    return ["\u3000" * line.level + line.label, *values, str(line.anomalies)]


def _text_table(first: str, lines: Sequence[Line], tables: Tables) -> list[str]:
    head = [first, *(each.title for each in tables.order.indicators), "异常数"]
    rows = [[str(cell) for cell in _cells(line, tables)] for line in lines]
    return ["\t".join(row) for row in (head, *rows)]


def _table(head: Sequence[str], rows: Iterator[list[Cell]] | Sequence[list[Cell]]) -> str:
    heads = "".join(f'<th align="left">{escape(cell)}</th>' for cell in head)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(str(cell or ''))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"{_TABLE}\n<thead><tr {_HEAD}>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
