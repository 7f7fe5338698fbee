"""What commands say: data on stdout, talk on stderr, colour only where a terminal shows it.

Every command gets one `Output`; nothing else in the front door prints. Data may come from other people's
tables, so control characters never reach the terminal and rich's markup is never read from it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO
from unicodedata import category

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from schemas import Fault

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]
"""What a cell or a JSON field may hold."""

PIPE_WIDTH = 4096
"""Columns when nobody watches: a table in a pipe must not be cut to 80."""


class Output:
    """Where a command's words go. `is_json`: data as JSON Lines (`-o json`), the talk stays as it is."""

    def __init__(self, *, is_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.is_json = is_json
        self._out = out or sys.stdout
        self.out = _console(self._out)
        """For live displays of commands whose data is for people only."""
        self.err = _console(err or sys.stderr)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, empty: str = "nothing found") -> None:
        """Print rows: a JSON object a line with the columns' names, or a table with them as its head.

        Without rows a person is told so on stderr; stdout stays empty.
        """
        if self.is_json:
            for row in rows:
                self.line_of_json(dict(zip(columns, row, strict=True)))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        if table.row_count:
            self.show(table)
        else:
            self.say(empty)

    def record(self, values: Mapping[str, Value]) -> None:
        """Print one thing: a JSON object, or a line a field."""
        if self.is_json:
            self.line_of_json(values)
            return
        table = Table.grid(padding=(0, 2))
        for name, value in values.items():
            table.add_row(Text(name, "bold"), Text(_cell(value)))
        self.show(table)

    def line_of_json(self, values: Mapping[str, Value]) -> None:
        """Print one JSON object on a line of its own, whatever the form asked for."""
        text = json.dumps(values, ensure_ascii=False, separators=(", ", ": "))
        is_text = not any(category(char) == "Cs" for char in text)
        self._out.write((text if is_text else json.dumps(values)) + "\n")
        self._out.flush()

    def line(self, text: str) -> None:
        """Print one line of data as it is, unwrapped."""
        self._out.write(_clean(text) + "\n")
        self._out.flush()

    def fault(self, fault: Fault) -> None:
        """Print one fault of a file: `file:line:col: message`, or its parts as JSON."""
        if self.is_json:
            self.line_of_json({
                "file": fault.file, "line": fault.line, "column": fault.column, "message": fault.message,
            })  # fmt: skip
        else:
            self.line(str(fault))

    def show(self, what: RenderableType) -> None:
        """Print something of rich's on stdout."""
        if self.out.is_terminal:
            self.out.print(what)
            return
        with self.out.capture() as captured:
            self.out.print(what)
        self._out.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        self._out.flush()

    def say(self, text: str) -> None:
        """Tell the person what happens, on stderr."""
        self._tell(text, "")

    def done(self, text: str) -> None:
        """Tell what has been done, past tense: `created connector mkt`."""
        self._tell(text, "green")

    def warn(self, text: str) -> None:
        """Tell of something odd that does not stop the command."""
        self._tell(f"warning: {text}", "yellow")

    def error(self, text: str) -> None:
        """Tell why the command failed; the exit code is the caller's."""
        self._tell(text, "red")

    def _tell(self, text: str, style: str) -> None:
        self.err.print(Text(_clean(text, "\n"), style), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    """Give a console that colours only a terminal (and not there with NO_COLOR) and wraps only there."""
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=is_terminal,
        width=None if is_terminal else PIPE_WIDTH,
        highlight=False,
        markup=False,
    )


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else _clean(str(value))
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str, allowed: str = "") -> str:
    """Replace what a terminal would obey (control characters) or could not write (lone surrogates)."""
    return "".join("\ufffd" if category(char) in {"Cc", "Cs"} and char not in allowed else char for char in text)
