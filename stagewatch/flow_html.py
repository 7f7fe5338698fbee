"""The flow as one page that needs nothing else: the picture and the tables, no script, no font, no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from stagewatch.flow import Document
from stagewatch.flow_tables import Table, tables_of

TEMPLATE = Path(__file__).parent / "templates" / "flow.html"


def page(document: Document, picture: str, most: int) -> str:
    """Give the page; tables have at most so many rows. Whatever stands in the data is text on it, never markup."""
    of = document["of"]
    window = [f"as known at {of['at']}"]
    window += [f"active since {of['from']}"] if of["from"] else []
    window += [f"unit {escape(of['org'])} and below"] if of["org"] else []
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{of['title']} {of['process']}"),
        source=escape(of["source"]),
        records=f"{of['records']:,}",
        window=", ".join(window),
        instances=f"{of['instances']:,}",
        over=f"{of['over']:,}",
        events=f"{of['events']:,}",
        picture=picture,
        tables="\n".join(_table(table) for table in tables_of(document, most)),
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}" for name in table.columns)
    body = "\n".join("<tr>" + "".join(_cell(value) for value in row) for row in table.rows)
    left_out = table.of - len(table.rows)
    more = f'<p class="quiet">{left_out:,} more; -o json has all</p>' if left_out else ""
    return f'<h2>{escape(table.title)}</h2>\n<div class="scroll"><table><tr>{head}\n{body}</table></div>{more}'


def _cell(value: object) -> str:
    style = "" if isinstance(value, int | float) else ' class="text"'
    return f"<td{style}>{'' if value is None else escape(str(value))}"
