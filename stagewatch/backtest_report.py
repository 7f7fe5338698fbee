"""The report of a backtest as one document, and on the terminal. `stagewatch.backtest_html` makes a page of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from rich.table import Table
from rich.text import Text

from schemas import AlertEvent, iso
from stagewatch.backtest_compare import Compared, Load, Outcome, Sent, Tally
from stagewatch.output import Output, Value

CHANNELS = ("sms", "mail", "online", "none")
"""`none`: nobody is found who should be told."""
COLOURS = {Outcome.RAISED: "red", Outcome.SPARED: "green", Outcome.EARLIER: "yellow", Outcome.LATER: "cyan"}
MOST_ROWS = 12
"""Units, persons and days that a terminal shows, of days the fullest; the JSON and the page have all."""
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Example(TypedDict):
    """One alert that differs."""

    instance: str
    rule: str
    severity: str
    process: str
    stage: str | None
    visit: int | None
    item: str | None
    org_no: str | None
    person: str | None
    running_at: str | None
    running_due_at: str | None
    changed_at: str | None
    changed_due_at: str | None
    moved: str
    text: str
    alert_id: str


Row = dict[str, str | int | None]


class Report(TypedDict):
    """A whole backtest."""

    changed: list[str]
    judged: list[str] | None
    """Codes of the rules that were judged, the only ones that differ; None: all rules were."""
    events: str
    begin: str
    end: str
    records: int
    refused: int
    alerts: Row
    by_rule: list[Row]
    by_org: list[Row]
    by_person: list[Row]
    messages: Row
    messages_by_day: list[Row]
    messages_by_person: list[Row]
    examples: dict[str, list[Example]]


def tally_row(key: str, tally: Tally) -> Row:
    """Give a tally as a row; `moved`: by how much those that moved do on the mean."""
    moved = tally.counts[Outcome.EARLIER] + tally.counts[Outcome.LATER]
    counts: Row = {outcome.value: tally.counts[outcome] for outcome in Outcome}
    mean = span(tally.moved_ms // moved) if moved else None
    return {key: tally.name, "running": tally.running, "changed": tally.changed, **counts, "moved": mean}


def sent_row(key: str, sent: Sent) -> Row:
    """Give messages as a row: per channel those of the running and of the changed version."""
    row: Row = {key: sent.name}
    for channel in CHANNELS:
        row |= {f"{channel}_running": sent.running[channel], f"{channel}_changed": sent.changed[channel]}
    return row


def sent_in_all(load: Load) -> Row:
    """Give the sums, the number of days with messages, and the fullest day."""
    running: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for day in load.by_day:
        running.update(day.running)
        changed.update(day.changed)
    row = sent_row("days", Sent("", running, changed))
    peaks = {
        f"most_in_a_day_{side}": max((getattr(day, side).total() for day in load.by_day), default=0)
        for side in ("running", "changed")
    }
    return {**row, "days": len(load.by_day), **peaks}


def examples_of(compared: Iterable[Compared], most: int) -> dict[str, list[Example]]:
    """Give up to `most` examples of each difference, spread over the rules: one of each in turn."""
    found: dict[str, dict[str, list[Compared]]] = {outcome.value: {} for outcome in COLOURS}
    for each in compared:
        if each.outcome is not Outcome.SAME:
            found[each.outcome.value].setdefault(each.alert.rule, []).append(each)
    return {
        name: [_example(each) for each in _in_turn(list(by_rule.values()), most)] for name, by_rule in found.items()
    }


def _in_turn(groups: Sequence[list[Compared]], most: int) -> list[Compared]:
    longest = max(map(len, groups), default=0)
    return [group[n] for n in range(longest) for group in groups if n < len(group)][:most]


def _example(compared: Compared) -> Example:
    alert, running, changed = compared.alert, compared.running, compared.changed
    return Example(
        instance=alert.instance, rule=alert.rule, severity=alert.severity, process=alert.process, stage=alert.stage,
        visit=alert.visit, item=alert.object.item if alert.object else None, org_no=alert.org_no, person=alert.person,
        running_at=iso(running.raised_at) if running else None, running_due_at=_due(running),
        changed_at=iso(changed.raised_at) if changed else None, changed_due_at=_due(changed),
        moved=span(compared.moved_ms), text=alert.text, alert_id=alert.alert_id,
    )  # fmt: skip


def _due(alert: AlertEvent | None) -> str | None:
    return None if alert is None or alert.due_at is None else iso(alert.due_at)


def span(ms: int) -> str:
    """Say a shift of time: +2d 3h, -40min; nothing for none."""
    if ms == 0:
        return ""
    sign, ms = ("+" if ms > 0 else "-"), abs(ms)
    if ms >= DAY_MS:
        hours = ms % DAY_MS // HOUR_MS
        return f"{sign}{ms // DAY_MS}d" + (f" {hours}h" if hours else "")
    if ms >= HOUR_MS:
        return f"{sign}{ms // HOUR_MS}h"
    return f"{sign}{ms // 60_000}min" if ms >= 60_000 else f"{sign}{ms / 1000:g}s"  # noqa: PLR2004 - a minute


# -- on the terminal


def show(output: Output, report: Report) -> None:
    """Show the report: sums by rule, unit and person, the messages, and examples."""
    names = [outcome.value for outcome in Outcome]
    counted = ["running", "changed", *names, "moved"]
    _table(output, "Alerts by rule", ["rule", "title", *counted], report["by_rule"], most=len(report["by_rule"]))
    _table(output, "Alerts by unit", ["org_no", *counted], report["by_org"])
    _table(output, "Alerts by person", ["person", *counted], report["by_person"])
    sent = [f"{channel}_{side}" for channel in CHANNELS[:2] for side in ("running", "changed")]
    _table(output, "Messages by person", ["person", *sent], report["messages_by_person"])
    days = sorted(report["messages_by_day"], key=lambda row: -sum(int(row[name] or 0) for name in sent))
    _table(output, "Messages by day", ["day", *sent], days)
    for outcome, examples in report["examples"].items():
        if examples:
            _show_examples(output, Outcome(outcome), examples)
    output.say(in_short(report))


def in_short(report: Report) -> str:
    """Say the result in a line."""
    alerts, messages = report["alerts"], report["messages"]
    what = ", ".join(f"{alerts[outcome.value]} {outcome.value}" for outcome in Outcome)
    sms, mail = (f"{messages[f'{c}_running']} -> {messages[f'{c}_changed']}" for c in CHANNELS[:2])
    return f"{alerts['running']} -> {alerts['changed']} alerts: {what}; SMS {sms}, mail {mail}"


def _table(
    output: Output, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Value]], *, most: int = MOST_ROWS
) -> None:
    """Show the first rows; columns that are empty everywhere are left out."""
    shown = rows[:most]
    kept = [name for name in columns if any(row.get(name) for row in shown)] if shown else []
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    for name in kept:
        table.add_column(name.replace("_", " "), justify="left" if name in {"rule", "title"} else "right")
    for row in shown:
        table.add_row(*(_cell(name, row.get(name)) for name in kept))
    if not shown:
        return
    output.show(table)
    if len(rows) > most:
        output.line(f"... and {len(rows) - most} more (-o json or --html has all)")
    output.line("")


def _cell(name: str, value: Value) -> Text:
    colour = COLOURS.get(Outcome(name), "") if value and name in {o.value for o in Outcome} else ""
    return Text("" if value is None else str(value), colour)


def _show_examples(output: Output, outcome: Outcome, examples: Sequence[Example]) -> None:
    title = Text(f"Examples: {outcome.value}", f"bold {COLOURS[outcome]}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("instance", "rule", "severity", "running", "changed", "moved", "text"):
        table.add_column(name, overflow="fold")
    for each in examples:
        times = (each["running_at"], each["changed_at"])
        cells = (each["instance"], each["rule"], each["severity"], *(t or "" for t in times), each["moved"])
        table.add_row(*map(Text, cells), Text(each["text"]))
    output.show(table)
    output.line("")
