"""How the trial of a declaration is shown: tables for people, one object for machines, and no personal data in either.

Called by `stagewatch sources try`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from schemas import iso
from stagewatch.source_trial import ColumnTrial, Trial, Undeclared
from stagewatch.source_views import ViewTrial, instance_form

if TYPE_CHECKING:
    from stagewatch.output import Output, Value

_PERSONAL = re.compile(
    r"name|mobile|phone|tel$|^tel|contact|addr|mail|cert|id_?card|person|body|remark|note", re.IGNORECASE
)
"""Columns whose values are shown only by their first character."""
_MOBILE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4,6}(\d{2})(?!\d)", re.ASCII)
_CITIZEN = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)", re.ASCII)
MOST_CHARACTERS = 40
"""Of an example: enough to recognise it."""
_TIMES = frozenset({"timestamp", "date"})


def masked_example(name: str, value: object) -> str:
    """Give a value as it may be shown: a name as `王**`, a mobile number as `138****01`, wherever it stands."""
    text = str(value)
    if _PERSONAL.search(name):
        return f"{text[:1]}**"
    return _MOBILE.sub(r"\1****\2", _CITIZEN.sub("******", text))[:MOST_CHARACTERS]


def report(trial: Trial, output: Output) -> None:
    """Show it all: data on stdout, the verdict on stderr."""
    if output.is_json:
        output.line_of_json(as_json(trial))
    else:
        _show(trial, output)
    for line in trial.advice if not output.is_json else ():
        output.warn(line)
    if trial.faults:
        output.error(f"does not work: {'; '.join(trial.faults)}")
    else:
        rest = "; see the warnings" if trial.advice else ""
        output.done(f"works: {trial.decoded} of {trial.records} records decoded, none refused{rest}")


def as_json(trial: Trial) -> dict[str, Value]:
    """Give the trial as one object."""
    return {
        **_head(trial),
        "works": not trial.faults,
        "faults": trial.faults,
        "refused": [dict(zip(_REFUSED, row, strict=True)) for row in _refused(trial)],
        "columns": [dict(zip(_COLUMNS, _column(each), strict=True)) for each in trial.columns],
        "undeclared": [dict(zip(_UNDECLARED, _undeclared(each), strict=True)) for each in trial.undeclared],
        "views": [dict(zip(_VIEWS, _view(each), strict=True)) for each in trial.views],
        "advice": trial.advice,
    }


_REFUSED = ["reason", "count", "first", "error", "looks_like"]
_COLUMNS = ["column", "type", "seen", "null", "missing", "unreadable", "unknown_codes", "example"]
_UNDECLARED = ["column", "seen", "declare"]
_VIEWS = ["view", "instance", "rows", "instances", "gone", "untold", "example"]


def _head(trial: Trial) -> dict[str, Value]:
    mapping = trial.mapping
    return {
        "table": f"{mapping.source}.{mapping.table}",
        "topic": mapping.topic,
        "dialect": mapping.dialect,
        "entity": mapping.entity,
        "partitions": trial.partitions,
        "records": trial.records,
        "decoded": trial.decoded,
        "operations": dict(trial.ops),
        "skipped": dict(trial.skipped),
        "key": ", ".join(mapping.key),
        "instance": mapping.instance,
        "instances": trial.instances,
        "of_no_instance": trial.of_none,
    }


def _refused(trial: Trial) -> list[list[Value]]:
    return [
        [reason, refusal.count, refusal.place, refusal.error, refusal.looks_like]
        for reason, refusal in trial.refused.items()
    ]


def _column(column: ColumnTrial) -> list[Value]:
    value = column.values[-1] if column.values else None
    if column.type in _TIMES and isinstance(value, int):
        example: str | None = iso(value)
    else:
        example = None if value is None else masked_example(column.name, _plain(value))
    counts: list[Value] = [column.seen, column.null, column.missing, column.unreadable, column.unknown_codes]
    return [column.name, column.type, *counts, example]


def _plain(value: Value | Decimal) -> object:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _undeclared(column: Undeclared) -> list[Value]:
    return [column.name, column.seen, None if column.type is None else f"{column.name}: {column.type}"]


def _view(view: ViewTrial) -> list[Value]:
    example = masked_example(view.mapping.instance or "", max(view.instances)) if view.instances else None
    return [
        view.mapping.entity, instance_form(view.mapping), view.rows, len(view.instances), view.gone,
        dict(view.untold.most_common()), example,
    ]  # fmt: skip


def _show(trial: Trial, output: Output) -> None:
    head = {name: value for name, value in _head(trial).items() if value not in (None, {})}
    if trial.mapping.instance is None:
        head = {name: value for name, value in head.items() if name not in {"instances", "of_no_instance"}}
    output.record(head)
    if trial.refused:
        output.line("")
        output.table(_REFUSED, _refused(trial))
    output.line("")
    output.table(_COLUMNS, [_column(each) for each in trial.columns])
    if trial.undeclared:
        output.line("")
        output.line("Columns that come and are not declared; paste what is wanted under `columns:`")
        for each in trial.undeclared:
            output.line(
                f"      {each.name}: {each.type}" if each.type else f"      # {each.name}: nested, cannot be declared"
            )
    if trial.views:
        output.line("")
        output.line("The same rows in further views (`also:`), told where a loaded process follows such instances")
        rows = [_view(each) for each in trial.views]
        output.table(
            _VIEWS, [[*row[:-2], _reasons(each), row[-1]] for row, each in zip(rows, trial.views, strict=True)]
        )


def _reasons(view: ViewTrial) -> str:
    return ", ".join(f"{count} {why}" for why, count in view.untold.most_common())
