"""The report of an evaluation as one page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from rules import TOTAL
from stagewatch.evaluation_report import Cell, Report, Row, UnitReport

TEMPLATE = Path(__file__).parent / "templates" / "evaluation.html"
TEXTS = frozenset({"title", "reason"})
ITEM_COLUMNS = ("title", "value", "target", "floor", "score", "full_score", "rank_no", "sample_cnt")
DETAIL_COLUMNS = (
    "app_no", "app_org_no", "eval_item", "deducted_score", "duty_dept", "duty_person", "late_h", "reason", "eval_no",
)  # fmt: skip


def page(report: Report) -> str:
    """Give the page. Whatever stands in the report's data is text on it, never markup."""
    by_unit: dict[str, dict[str, Row]] = {}
    titles: dict[str, Cell] = {}
    for row in report["summary"]:
        by_unit.setdefault(str(row["org_no"]), {})[str(row["eval_item"])] = row
        if row["eval_item"] == row["dimension_code"]:
            titles[str(row["eval_item"])] = row["title"]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        {name: escape(str(report[name])) for name in ("title", "period", "begin", "end")},
        legend="".join(f'<span class="key {code}"></span>{escape(str(title))}' for code, title in titles.items()),
        heads="".join(f"<th>{escape(str(title))}" for title in titles.values()),
        rows="\n".join(_unit_row(org_no, rows, titles) for org_no, rows in by_unit.items()),
        units="\n".join(_unit(unit, by_unit[unit["org_no"]]) for unit in report["units"]),
    )


def _unit_row(org_no: str, rows: Mapping[str, Row], titles: Mapping[str, Cell]) -> str:
    total = rows[TOTAL]
    bar = "".join(f'<i class="{code}" style="width:{rows[code]["score"]}%"></i>' for code in titles if code in rows)
    parts = "".join(f"<td>{_of_full(rows.get(code))}" for code in titles)
    name = escape(org_no) or "–"
    return f'<tr><td>{name}<td>{total["rank_no"]}<td>{total["score"]:.2f}<td><div class="bar">{bar}</div>{parts}'


def _of_full(row: Row | None) -> str:
    return "" if row is None else f"{row['score']:.2f} / {row['full_score']:.0f}"


def _unit(unit: UnitReport, rows: Mapping[str, Row]) -> str:
    items = [row for row in rows.values() if row["value"] is not None]
    name = escape(unit["org_no"]) or "–"
    return "\n".join(
        [
            f"<h2>{name}: {unit['score']:.2f} points, {unit['lost']:.2f} lost</h2>",
            _table("Items", ITEM_COLUMNS, items, is_open=True),
            _table("By department", ("duty_dept", "deducted_score", "deductions"), unit["by_dept"]),
            _table("By person", ("duty_person", "deducted_score", "deductions"), unit["by_person"]),
            _table("Deductions", DETAIL_COLUMNS, unit["detail"]),
        ]
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[Row], *, is_open: bool = False) -> str:
    head = "".join(f"<th>{name.replace('_', ' ')}" for name in columns)
    body = "\n".join("<tr>" + "".join(_cell(name, row[name]) for name in columns) for row in rows)
    summary = f"<summary>{title} ({len(rows)})</summary>"
    table = f'<div class="scroll"><table><tr>{head}\n{body}</table></div>'
    return f"<details{' open' if is_open else ''}>{summary}{table}</details>"


def _cell(name: str, value: Cell) -> str:
    style = ' class="text"' if name in TEXTS else ""
    return f"<td{style}>{'' if value is None else escape(str(value))}"
