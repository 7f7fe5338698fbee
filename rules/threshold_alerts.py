"""Alerts about the values of indicators: raising, ending and reopening them, and who is told.

As `rules.engine.alerting` does for instances. Pure; used by `rules.threshold_judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from rules.routing import Routing
from rules.thresholds import HUNDREDTHS, Judged, Ratio
from rules.wording import SEVERITY_WORDS, Wording
from schemas import AlertEvent, AlertEventKind, Notice, Severity, alert_id

if TYPE_CHECKING:
    from rules.compiler import Definitions
    from rules.reference import Reference

OBJECTS = {"tg": "tg_no", "line": "line_no", "bus": "bus_no", "cons": "cons_no", "meter": "meter_no"}
"""Dimensions whose value names one thing, whatever the unit, with the field that it is known by elsewhere."""
OBJECT_WORDS = {"tg": "台区", "line": "线路", "bus": "母线段", "cons": "客户", "meter": "电能表"}
OPERATOR_WORDS = {"gt": "高于", "ge": "不低于", "lt": "低于", "le": "不高于", "outside": "超出"}
COMPARE_WORDS = {"last_period": "较上期", "same_period_last_year": "较去年同期", "peer_mean": "较同级平均"}
_ENDS: dict[AlertEventKind, str] = {"cleared": "（已解除）", "reopened": "（重新打开）"}


@lru_cache(maxsize=65_536)
def _known(dims: str) -> Mapping[str, str]:
    return msgspec.json.decode(dims or "{}", type=dict[str, str])


class Subject(NamedTuple):
    """What a value is of: a unit and the dimensions of its value."""

    unit: str
    dims: str

    def known(self) -> Mapping[str, str]:
        """Give the dimensions by name."""
        return _known(self.dims)

    def name(self, label: str) -> str:
        """Give the readable key of its value: `tg:TG1:2026-03-02`, `org:3340101,channel:web:2026-W10`, `org:334`."""
        dims = {name: value for name, value in self.known().items() if name != "process"}
        things = {name: value for name, value in dims.items() if name in OBJECTS}
        parts = [f"{name}:{value}" for name, value in (things or {"org": self.unit} | dims).items()]
        return ",".join(parts) + (f":{label}" if label else "")


class Told(msgspec.Struct, array_like=True, gc=False):
    """What was told of one threshold and one value: a row of the changelog."""

    rule: str
    version: int
    process: str
    instance: str
    item: str
    severity: Severity
    org_no: str
    person: str | None
    at: int
    text: str
    is_open: bool = True

    @property
    def alert_id(self) -> str:
        """The id of its alert."""
        return alert_id(self.rule, self.process, self.instance, None, None, self.item, self.severity)


class ThresholdAlerts:
    """Writes alert events and notices."""

    def __init__(self, reference: Reference, *, mail_domain: str) -> None:
        self._routing = Routing(reference, mail_domain=mail_domain)
        self.alerts: list[AlertEvent] = []
        self.notices: list[Notice] = []
        self.notify_from = 0
        """What was raised before is told to nobody: the first run over retained history."""
        self.live_from = 0

    def use(self, definitions: Definitions) -> None:
        """Take the words of a set of definitions."""
        self._wording = Wording(definitions.templates, definitions.calendar, own=definitions.own_templates)
        self._indicators = definitions.thresholds.indicators
        self._first_process = next(iter(definitions.processes), "")

    def told_of(self, judged: Judged, subject: Subject, label: str) -> Told:
        """Give what an alert about a value would be, not told yet."""
        process = subject.known().get("process") or min(judged.processes, default=self._first_process)
        rule = judged.rule
        return Told(
            rule.code, rule.version, process, subject.name(label), judged.item, judged.threshold.severity,
            subject.unit, None, 0, "",
        )  # fmt: skip

    def raise_it(self, told: Told, judged: Judged, subject: Subject, value: Ratio, at: int) -> None:
        """Tell that a value breaches its threshold."""
        known = subject.known()
        fields = {"org_no": subject.unit} | {OBJECTS[name]: v for name, v in known.items() if name in OBJECTS}
        people = self._routing.tell(judged.rule.tell, fields, at)
        told.at = at
        told.person = people[0][0].no if people and people[0][1] != "none" else None
        values = self._values(told, judged, subject, value)
        told.text = self._wording.say(judged.rule.text, values, unit=subject.unit)
        event = self._event(told, "raised")
        self.alerts.append(event)
        if at < self.notify_from:
            return
        for recipient, channel in people:
            self.notices.append(
                Notice(
                    alert_id=event.alert_id, rule=told.rule, severity=told.severity, process=told.process,
                    instance=told.instance, org_no=told.org_no, recipient=recipient, channel=channel, text=told.text,
                    at=at, due_at=None, is_late=at < self.live_from,
                )
            )  # fmt: skip

    def tell(self, told: Told, kind: AlertEventKind) -> None:
        """Tell that it is over, or that it is back."""
        told.is_open = kind != "cleared"
        self.alerts.append(self._event(told, kind))

    def _event(self, told: Told, kind: AlertEventKind) -> AlertEvent:
        return AlertEvent(
            alert_id=told.alert_id, event=kind, rule=told.rule, rule_version=told.version, severity=told.severity,
            process=told.process, instance=told.instance, stage=None, visit=None, raised_at=told.at, due_at=None,
            org_no=told.org_no, dept=None, person=told.person, object=None, text=told.text + _ENDS.get(kind, ""),
            evidence=(),
        )  # fmt: skip

    def _values(self, told: Told, judged: Judged, subject: Subject, value: Ratio) -> dict[str, object]:
        threshold, known = judged.threshold, subject.known()
        indicator = self._indicators.get(threshold.indicator)
        title = indicator.title if indicator else threshold.indicator
        unit, scale = threshold.unit, 100 if threshold.unit in HUNDREDTHS else 1
        change = COMPARE_WORDS.get(threshold.compare, "")
        allowed = threshold.value if isinstance(threshold.value, tuple) else (threshold.value,)
        limit = "至".join(f"{edge:g}" for edge in allowed)
        number = float(value) * scale
        detail = f"{title}{change}{number:.4g}{unit}，{OPERATOR_WORDS[threshold.operator]}{limit}{unit}"
        things = "".join(f"{OBJECT_WORDS[name]}{no}" for name, no in known.items() if name in OBJECTS)
        return {
            "instance": told.instance, "severity": SEVERITY_WORDS[told.severity], "title": judged.rule.title,
            "org": subject.unit, "object": things, "detail": detail,
        }  # fmt: skip
