"""What an evaluation rests on: sums per unit, and who stands behind each thing that went wrong.

Only what ended is judged: a visit of a stage in the period it finished in, an application in the period it was
archived in. Whatever an indicator counts against a unit, and no alert names, is a finding of the unit itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from rules.evaluation_material import Dossier, Finding, Ground, Material, Measured, VisitRecord
from rules.evaluation_models import EvaluationFile, EvaluationItem
from rules.evaluation_period import Period
from rules.indicator_models import Indicator
from rules.models import DeadlineRule
from schemas import AlertEvent, IndicatorValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BREACHED = frozenset({"ALARM", "CRITICAL"})
"""Severities that say that a limit is passed."""


def findings_of(file: EvaluationFile, period: Period, material: Material, ground: Ground) -> Measured:
    """Give the sums and findings of every item of an evaluation."""
    reader = _Reader(file, period, material, ground)
    measured = Measured()
    for _, item in file.items:
        sums = reader.sums_of(item)
        found = list(reader.findings_of(item))
        measured.sums[item.code] = sums
        measured.findings[item.code] = sorted([*found, *reader.unnamed(item, sums, found)])
    return measured


class _Reader:
    def __init__(self, file: EvaluationFile, period: Period, material: Material, ground: Ground) -> None:
        self._catalogue, self._calendar, self._period = ground.catalogue, ground.calendar, period
        self._values: dict[str, list[IndicatorValue]] = defaultdict(list)
        for value in material.values:
            if period.covers(value.date) and value.dims.get("process", file.processes[0]) in file.processes:
                self._values[value.indicator].append(value)
        self._dossiers = [each for each in material.dossiers if each.process in file.processes]
        self._alerts: dict[tuple[str, str], list[AlertEvent]] = defaultdict(list)
        for alert in material.alerts:
            if alert.event != "cleared":  # it turned out that nothing was late
                self._alerts[alert.process, alert.instance].append(alert)
        self._ended = [each for each in self._dossiers if self._has_ended(each)]

    # -- sums

    def sums_of(self, item: EvaluationItem) -> dict[str, tuple[Fraction, Fraction]]:
        """Give numerator and denominator per unit, of those units that have any."""
        sums: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
        if item.indicator is None:
            for dossier in self._ended:
                total = sums[dossier.org_no or ""]
                total[0] += bool(self._alerts_of(dossier, item.alerts, item.severities))
                total[1] += 1
        else:
            for value in self._values[item.indicator]:
                sums[value.org_no][0] += Fraction(value.numerator)
                sums[value.org_no][1] += 0 if item.per else Fraction(value.denominator)
            for value in self._values[item.per or ""]:
                is_ratio = self._catalogue.indicators[value.indicator].is_ratio
                sums[value.org_no][1] += Fraction(value.denominator if is_ratio else value.numerator)
        return {org_no: (total[0], total[1]) for org_no, total in sums.items()}

    # -- findings

    def findings_of(self, item: EvaluationItem) -> Iterator[Finding]:
        """Give the findings that have a name, with the weights that the item counts them by."""
        indicator = self._catalogue.indicators.get(item.indicator or "")
        if indicator is None:
            for dossier in self._ended:
                yield from self._of_ended(item, dossier)
        elif indicator.kind in {"stage_on_time", "stage_mean"}:
            for dossier in self._dossiers:
                for visit in dossier.visits:
                    if visit.stage == indicator.stage and self._finished_in_period(visit):
                        yield from self._of_visit(item, indicator, dossier, visit)

    def _of_ended(self, item: EvaluationItem, dossier: Dossier) -> Iterator[Finding]:
        """An application counts once, however many alerts it had."""
        alerts = self._alerts_of(dossier, item.alerts, item.severities)
        for alert in alerts:
            visit = next((v for v in dossier.visits if (v.stage, v.visit) == (alert.stage, alert.visit)), None)
            yield self._finding(item, dossier, visit, alert, Fraction(1, len(alerts)))

    def _of_visit(
        self, item: EvaluationItem, indicator: Indicator, dossier: Dossier, visit: VisitRecord
    ) -> Iterator[Finding]:
        if indicator.kind == "stage_on_time":
            alert = self._alarm_of(dossier, visit, indicator.rule or "")
            if alert is not None:
                yield self._finding(item, dossier, visit, alert, Fraction(1))
        else:
            took = self._workdays(visit)
            if took > item.target:
                reason = f"{self._title(dossier, visit.stage)}用时{took}工作日，目标{item.target.normalize():f}工作日"
                yield Finding(
                    item.code, dossier.org_no or "", dossier.instance, visit.stage or "", visit.visit or 0, "",
                    visit.dept or "", _manager(dossier) or visit.handler or "", 0, reason, took - Fraction(item.target),
                )  # fmt: skip

    def _alarm_of(self, dossier: Dossier, visit: VisitRecord, rule: str) -> AlertEvent | None:
        """Give the alarm of a visit that ended after its deadline."""
        for alert in self._alerts_of(dossier, [rule], BREACHED):
            is_its = (alert.stage, alert.visit) == (visit.stage, visit.visit)
            if is_its and alert.due_at is not None and _ms(visit.finished_at) > alert.due_at:
                return alert
        return None

    def _finding(
        self, item: EvaluationItem, dossier: Dossier, visit: VisitRecord | None, alert: AlertEvent, weight: Fraction
    ) -> Finding:
        late_ms = self._late_ms(dossier, visit, alert)
        rule = self._catalogue.rules.get(alert.rule)
        what = f"{self._title(dossier, alert.stage)}超期" if late_ms and alert.stage else rule.title if rule else ""
        reason = f"{what}（{alert.rule}）" + (f"，超时限{span_words(late_ms)}" if late_ms else "")
        return Finding(
            item.code, dossier.org_no or "", dossier.instance, alert.stage or "", alert.visit or 0, alert.rule,
            alert.dept or (visit.dept if visit else "") or "", alert.person or _manager(dossier), late_ms, reason,
            weight,
        )  # fmt: skip

    def _late_ms(self, dossier: Dossier, visit: VisitRecord | None, alert: AlertEvent) -> int:
        """How long after the alert's deadline ended what it watched."""
        rule = self._catalogue.rules.get(alert.rule)
        if alert.due_at is None:
            return 0
        ended = _ms(visit.finished_at) if visit else 0
        if isinstance(rule, DeadlineRule) and rule.until_stage is not None:
            ended = max((_ms(v.finished_at) for v in dossier.visits if v.stage == rule.until_stage), default=0)
        return max(0, ended - alert.due_at)

    def unnamed(
        self, item: EvaluationItem, sums: Mapping[str, tuple[Fraction, Fraction]], found: Sequence[Finding]
    ) -> Iterator[Finding]:
        """Give what a unit lacks and no finding names."""
        named: dict[str, Fraction] = defaultdict(Fraction)
        for finding in found:
            named[finding.org_no] += finding.weight
        for org_no, (numerator, denominator) in sums.items():
            gap, reason = self._gap(item, numerator, denominator)
            if gap > named[org_no]:
                yield Finding(item.code, org_no, "", "", 0, "", "", "", 0, reason, gap - named[org_no])

    def _gap(self, item: EvaluationItem, numerator: Fraction, denominator: Fraction) -> tuple[Fraction, str]:
        """Give how much speaks against a unit, in the unit of the findings' weights, and in words."""
        indicator = self._catalogue.indicators.get(item.indicator or "")
        if indicator is None:
            return numerator, ""
        if indicator.kind == "stage_on_time":
            return denominator - numerator, f"{indicator.title}：超期而无告警记录"
        short = Fraction(item.target) * denominator - numerator
        whole = f"{_plain(numerator)}／{_plain(denominator)}"
        counted = whole if item.per else f"均值{_plain(numerator / (denominator or 1))}"
        return short if item.direction == "up" else -short, f"{item.title}{counted}，目标{item.target.normalize():f}"

    # -- looking up

    def _has_ended(self, dossier: Dossier) -> bool:
        """Tell whether an application was over by one of its time fields in the period (not: cancelled)."""
        process = self._catalogue.processes.get(dossier.process or "")
        names = process.over_when if process and dossier.status == "over" else []
        times = [value for value in (dossier.fields.get(name) for name in names) if isinstance(value, str)]
        return bool(times) and self._period.covers(self._day(datetime.fromisoformat(min(times))))

    def _finished_in_period(self, visit: VisitRecord) -> bool:
        return visit.finished_at is not None and self._period.covers(self._day(visit.finished_at))

    def _day(self, time: datetime) -> str:
        return self._calendar.local_date(_ms(time))

    def _alerts_of(
        self, dossier: Dossier, rules: Sequence[str], severities: Sequence[str] | frozenset[str]
    ) -> list[AlertEvent]:
        found = self._alerts.get((dossier.process or "", dossier.instance), ())
        return [alert for alert in found if alert.rule in rules and alert.severity in severities]

    def _workdays(self, visit: VisitRecord) -> int:
        if visit.entered_at is None or visit.finished_at is None:
            return 0
        spans = [(_ms(visit.suspend_from), _ms(visit.suspend_to))] if visit.suspend_from and visit.suspend_to else []
        return self._calendar.workdays_between(_ms(visit.entered_at), _ms(visit.finished_at), spans)

    def _title(self, dossier: Dossier, stage: str | None) -> str:
        process = self._catalogue.processes.get(dossier.process or "")
        titles = {each.code: each.title for each in process.stages} if process else {}
        return titles.get(stage or "", stage or "")


def _manager(dossier: Dossier) -> str:
    return str(dossier.fields.get("mgr_no") or "")


def _plain(number: Fraction) -> str:
    """Write a number with at most two decimals."""
    return f"{float(number):.2f}".rstrip("0").rstrip(".")


def _ms(time: datetime | None) -> int:
    return 0 if time is None else (time - EPOCH) // timedelta(milliseconds=1)


def span_words(ms: int) -> str:
    """Say a span: 3天4小时; under an hour in minutes, rounded up."""
    days, hours = divmod(ms // 3_600_000, 24)
    if ms < 3_600_000:  # noqa: PLR2004 - an hour
        return f"{-(-ms // 60_000)}分钟"
    return (f"{days}天" if days else "") + (f"{hours}小时" if hours else "")
