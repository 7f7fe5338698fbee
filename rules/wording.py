"""Sentences: what an alert says, in the words of the template files.

Parameters that a template may use: `instance`, `severity`, `title`, `stage`, `verdict`, `due`, `since`,
`org`, `object`, `level`, `other`, `detail`; a group's message also `count` and `list`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

from rules.workdays import WorkCalendar

PARAMETERS = frozenset(
    {"instance", "severity", "title", "stage", "verdict", "due", "since", "org", "object", "level", "other", "detail"}
)
GROUP_PARAMETERS = PARAMETERS | {"count", "list"}
SEVERITY_WORDS = {"INFO": "提示", "WARN": "预警", "ALARM": "告警", "CRITICAL": "严重告警"}
OBJECT_WORDS = {"pub_trans": "公变", "dist_line": "线路", "main_subs": "变电所"}


def unknown_parameters(template: str) -> list[str]:
    """Give the parameters of a template that nobody fills in; raises ValueError for broken braces."""
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    return sorted(names - GROUP_PARAMETERS)


class Wording:
    """Fills in templates."""

    def __init__(self, templates: Mapping[str, str], calendar: WorkCalendar) -> None:
        self._templates = templates
        self._calendar = calendar

    def has(self, template: str) -> bool:
        """True if there is such a template."""
        return template in self._templates

    def say(self, template: str, values: Mapping[str, object]) -> str:
        """Give the sentence; a parameter without a value reads as a dash."""
        return self._templates[template].format_map(_Values(values))

    def group(self, template: str, values: Mapping[str, object]) -> str:
        """Give a group's sentence with `{count}` and `{list}` left to be filled in by the outbox."""
        return self._templates[template].format_map(_Values({**values, "count": "{count}", "list": "{list}"}))

    def time(self, ms: int | None) -> str:
        """Say a time as people do."""
        return "—" if ms is None else self._calendar.local_text(ms)

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
