"""The report of a backtest as one page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from stagewatch.backtest_compare import Outcome
from stagewatch.backtest_report import Example, Report, Row

TEMPLATE = Path(__file__).parent / "templates" / "backtest.html"
OUTCOMES = [outcome.value for outcome in Outcome]
COUNTED = ["running", "changed", *OUTCOMES, "moved"]
SENT = [f"{channel}_{side}" for channel in ("sms", "mail") for side in ("running", "changed")]
HEADINGS = {
    Outcome.RAISED: "Raised only by the changed version",
    Outcome.SPARED: "Spared by the changed version",
    Outcome.EARLIER: "Raised earlier",
    Outcome.LATER: "Raised later",
}


def page(report: Report) -> str:
    """Give the page. Whatever stands in the report's data is text on it, never markup."""
    tables = (
        _table("Alerts by rule", ["rule", "title", *COUNTED], report["by_rule"]),
        _table("Alerts by unit", ["org_no", *COUNTED], report["by_org"]),
        _table("Alerts by person", ["person", *COUNTED], report["by_person"]),
        _table("Messages by person", ["person", *SENT], report["messages_by_person"]),
        _table("Messages by day", ["day", *SENT], report["messages_by_day"]),
    )
    examples = (_examples(outcome, report["examples"].get(outcome.value, [])) for outcome in HEADINGS)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(", ".join(Path(path).name for path in report["changed"])),
        events=escape(report["events"]),
        judged=escape(", ".join(report["judged"] or ["all rules"])),
        records=f"{report['records']:,}",
        begin=report["begin"],
        end=report["end"],
        sums=_sums(report),
        tables="\n".join(tables),
        examples="\n".join(examples),
    )


def _sums(report: Report) -> str:
    alerts, messages = report["alerts"], report["messages"]
    shown = [("alerts", _both(alerts, "running", "changed"), "")]
    shown += [(name, str(alerts.get(name) or 0), name) for name in OUTCOMES]
    shown += [(what, _both(messages, f"{name}_running", f"{name}_changed"), "") for name, what in _CHANNELS]
    shown.append(("messages in the fullest day", _both(messages, "most_in_a_day_running", "most_in_a_day_changed"), ""))
    return "".join(f'<div class="sum {style}"><b>{number}</b>{name}</div>' for name, number, style in shown)


_CHANNELS = (("sms", "SMS"), ("mail", "mails"))


def _both(row: Row, running: str, changed: str) -> str:
    return f"{row.get(running) or 0} → {row.get(changed) or 0}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}" for name in columns)
    body = "\n".join("<tr>" + "".join(_cell(name, row.get(name)) for name in columns) for row in rows)
    return f'<h2>{title}</h2>\n<div class="scroll"><table><tr>{head}\n{body}</table></div>'


def _cell(name: str, value: object) -> str:
    style = name if name in OUTCOMES and value else "text" if name == "title" else ""
    return f'<td class="{style}">{"" if value in (None, 0) else escape(str(value))}'


def _examples(outcome: Outcome, examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    return f'<h2 class="{outcome}">{HEADINGS[outcome]}</h2>\n' + "\n".join(map(_example, examples))


def _example(example: Example) -> str:
    values: Mapping[str, object] = {
        "rule": f"{example['rule']} {example['severity']}",
        "process": example["process"],
        "stage": " ".join(str(part) for part in (example["stage"], example["visit"]) if part is not None),
        "object": example["item"],
        "unit": example["org_no"],
        "person": example["person"],
        "running version": _when(example["running_at"], example["running_due_at"]),
        "changed version": _when(example["changed_at"], example["changed_due_at"]),
        "moved by": example["moved"],
        "alert": example["alert_id"],
        "look at it": f"stagewatch instances history {example['instance']}",
    }
    rows = "".join(f"<dt>{name}<dd>{escape(str(value))}" for name, value in values.items() if value)
    line = f"<b>{escape(example['instance'])}</b> {escape(example['rule'])}: {escape(example['text'])}"
    return f"<details><summary>{line}</summary><dl>{rows}</dl></details>"


def _when(raised_at: str | None, due_at: str | None) -> str:
    if raised_at is None:
        return "not raised"
    return f"raised {raised_at}" + (f", due {due_at}" if due_at else "")
