"""What the audience sees: coloured lines as alerts are raised and delivered, a bar, the summary."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sinks import masked_address
from stagewatch.demo.messages import FoundAlert
from stagewatch.demo.workdays import CHINA
from stagewatch.output import Output
from stagewatch.receivers import ReceivedMail, ReceivedSms

STYLES = {"INFO": "cyan", "WARN": "yellow", "ALARM": "red", "CRITICAL": "bold white on red"}
HISTORY_LINES = 24
"""Lines shown of the alerts of months; the rest are only counted."""


class Display:
    """Lines and a bar on one console: stdout for people, stderr where stdout is for machines (`--json`)."""

    def __init__(self, output: Output, *, is_json: bool) -> None:
        self._console: Console = output.err if is_json else output.out
        self._bars = ExitStack()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._seen = 0

    def __enter__(self) -> Self:
        """Begin; a bar is only drawn on a terminal."""
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._progress = self._bars.enter_context(Progress(*columns, console=self._console, transient=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bars.close()

    def phase(self, what: str, total: int) -> None:
        """Say what begins, and start its bar."""
        self._print(Text(f"── {what}", "bold"))
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what.partition(":")[0], total=max(total, 1))

    def advance(self, done: int) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)

    def alert(self, alert: FoundAlert, *, one_of: int = 1) -> None:
        """Show an alert that was raised; of history's only one out of `one_of`."""
        self._seen += 1
        if self._seen % one_of == 0:
            self._print(
                Text.assemble(
                    (_clock(alert.raised_at, with_date=one_of > 1), "dim"), " ",
                    (f"{alert.key.severity:8} {alert.key.rule}", STYLES[alert.key.severity]), f" {alert.text}",
                )
            )  # fmt: skip

    def sms(self, sms: ReceivedSms) -> None:
        """Show an SMS that the gateway took."""
        self._print(Text.assemble(("         sms → ", "green"), (masked_address(sms.mobile), "green"), f" {sms.text}"))

    def mail(self, mail: ReceivedMail) -> None:
        """Show a mail that the server took."""
        count = f"{mail.subject}（{len(mail.alert_ids)}）"
        self._print(Text.assemble(("        mail → ", "blue"), (masked_address(mail.recipient), "blue"), f" {count}"))

    def summary(self, figures: Mapping[str, object], faults: tuple[str, ...]) -> None:
        """Show the figures, and what was wrong."""
        by_rule = figures["alerts_by_rule"]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("rule", "alerts", "", "figure", "value"):
            table.add_column(column, justify="right" if column in {"alerts", "value"} else "left")
        left = [(rule, str(count)) for rule, count in by_rule.items()] if isinstance(by_rule, dict) else []
        right = [(name, _figure(value)) for name, value in figures.items() if name != "alerts_by_rule"]
        for number in range(max(len(left), len(right))):
            rule, count = left[number] if number < len(left) else ("", "")
            name, value = right[number] if number < len(right) else ("", "")
            is_bad = name in {"lost", "duplicates", "unexpected"}
            style = "" if not is_bad else "bold green" if value == "0" else "bold red"
            table.add_row(rule, count, "  ", Text(name, style), Text(value, style))
        self._console.print(table)
        for fault in faults:
            self._print(Text(fault, "red"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=not self._console.is_terminal)


def _figure(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _clock(ms: int, *, with_date: bool) -> str:
    moment = datetime.fromtimestamp(ms / 1000, CHINA)
    return f"{moment:%Y-%m-%d %H:%M}" if with_date else f"{moment:%H:%M:%S}"
