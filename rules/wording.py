"""Sentences: what an alert says, in the words of the template files.

Parameters that a template may use: `instance`, `severity`, `title`, `stage`, `verdict`, `due`, `since`,
`org`, `object`, `level`, `other`, `detail`; a group's message also `count` and `list`.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping

from rules.workdays import WorkCalendar

PARAMETERS = frozenset(
    {"instance", "severity", "title", "stage", "verdict", "due", "since", "org", "object", "level", "other", "detail"}
)
GROUP_PARAMETERS = PARAMETERS | {"count", "list"}
OwnCopies = Mapping[str, Mapping[str, str]]
"""Units' own copies of templates: template, then unit, then text."""
SEVERITY_WORDS = {"INFO": "提示", "WARN": "预警", "ALARM": "告警", "CRITICAL": "严重告警"}
OBJECT_WORDS = {"pub_trans": "公变", "dist_line": "线路", "main_subs": "变电所"}


def parameters_of(template: str) -> frozenset[str]:
    """Give the parameters that a template asks for; raises ValueError for broken braces."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def unknown_parameters(template: str, known: Collection[str] = GROUP_PARAMETERS) -> list[str]:
    """Give the parameters of a template that nobody fills in; raises ValueError for broken braces."""
    return sorted(parameters_of(template).difference(known))


def shaped_parameters(template: str) -> list[str]:
    """Give the parameters that are to be cut or padded (`{amount:>300}`, `{time!r}`): Python's way."""
    parts = string.Formatter().parse(template)
    return sorted({f"{{{name}}}" for _, name, spec, conversion in parts if name is not None and (spec or conversion)})


def text_for(name: str, unit: object, standard: Mapping[str, str], own: OwnCopies) -> tuple[str, str]:
    """Give the text of a template that a unit's messages use, and whose copy it is (empty: the standard library's).

    The nearest unit up the tree with a copy of its own wins; units below one begin with its code.
    """
    copies = own.get(name)
    if copies and unit is not None:
        code = str(unit)
        for length in range(len(code), 0, -1):
            if (text := copies.get(code[:length])) is not None:
                return text, code[:length]
    return standard[name], ""


class Wording:
    """Fills in templates; each unit's messages are in its own copy's words, if it has one."""

    def __init__(self, templates: Mapping[str, str], calendar: WorkCalendar, *, own: OwnCopies | None = None) -> None:
        self._templates = templates
        self._calendar = calendar
        self._own = own or {}

    def has(self, template: str) -> bool:
        """True if there is such a template."""
        return template in self._templates

    def say(self, template: str, values: Mapping[str, object], *, unit: object = None) -> str:
        """Give the sentence in a unit's words; a parameter without a value reads as a dash."""
        text, _ = text_for(template, unit, self._templates, self._own)
        return text.format_map(_Values(values))

    def group(self, template: str, values: Mapping[str, object], *, unit: object = None) -> str:
        """Give a group's sentence with `{count}` and `{list}` left to be filled in by the outbox."""
        return self.say(template, {**values, "count": "{count}", "list": "{list}"}, unit=unit)

    def time(self, ms: int | None) -> str:
        """Say a time as people do."""
        return "—" if ms is None else self._calendar.local_text(ms)

    def day(self, ms: int) -> str:
        """Give the local date as YYYY-MM-DD."""
        return self._calendar.local_date(ms)

    def lateness(self, ms: int) -> str:
        """Say a length of time: 3天5小时, 40分钟."""
        minutes = ms // 60_000
        days, hours = minutes // 1440, minutes % 1440 // 60
        if days:
            return f"{days}天{hours}小时" if hours else f"{days}天"
        return f"{hours}小时{minutes % 60}分钟" if hours else f"{minutes}分钟"


class _Values(dict[str, object]):
    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__({k: "—" if v is None else v for k, v in values.items()})

    def __missing__(self, key: str) -> object:
        return "—"
