"""The judge of thresholds: differences and the clock in, alerts about indicator values out.

It runs where a value has its one owner: in the summing agent, and in `replay`. What it says depends on the moments of
the differences alone, never on the order in which they come: a difference is judged when the clock, the least of what
all tracking partitions have reached, has passed it. Pure; what it keeps are rows for the agent's changelog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from rules.threshold_alerts import Subject, ThresholdAlerts, Told
from rules.threshold_periods import Period, Timetable, after, before, period_of, years_on
from rules.threshold_sums import Sums, dates_of
from rules.threshold_windows import Window, Windows
from rules.thresholds import Judged, Ratio, Thresholds
from rules.totals import Derived, Series, Totals, added, key_parts
from schemas import AlertEvent, IndicatorDelta, Notice, Number

if TYPE_CHECKING:
    from rules.compiler import Definitions
    from rules.reference import Reference

LATE_MS = 7 * 86_400_000
"""What comes later than a week after its value was judged repairs what was told and raises nothing new: who loads a
year of history wants no year of alerts."""
TOLD, LATER, WINDOW = "\x01told:", "\x01later:", "\x01window:"
"""How keys of its rows begin; no key of an indicator value does."""

_encode = msgspec.msgpack.Encoder().encode
_decode_told = msgspec.msgpack.Decoder(Told).decode
_decode_window = msgspec.msgpack.Decoder(Window).decode
_decode_later = msgspec.msgpack.Decoder(tuple[Number, Number]).decode


class ThresholdJudge:
    """All thresholds over the values of one owner."""

    def __init__(
        self, definitions: Definitions, reference: Reference, totals: Totals, *, mail_domain: str = "stagewatch.local"
    ) -> None:
        self.clock = 0
        """Everything up to it was judged; epoch ms."""
        self._totals = totals
        self._sums = Sums(totals, reference)
        self._windows = Windows()
        self._told: dict[str, Told] = {}
        self._later: dict[int, dict[str, tuple[Number, Number]]] = {}
        self._moments: list[int] = []
        self._due: int | None = None
        self._changed: set[str] = set()
        self._alerts = ThresholdAlerts(reference, mail_domain=mail_domain)
        self._runs: dict[Timetable, int | None] = {}
        """When each timetable runs next, ms; None: never by the clock."""
        self.use(definitions)

    def use(self, definitions: Definitions) -> None:
        """Go over to other definitions without judging anything; the totals follow in what is derived."""
        self._thresholds: Thresholds = definitions.thresholds
        self._alerts.use(definitions)
        self._totals.prepare(Derived.of(self._thresholds.indicators.values()), self._thresholds.judged)
        self._sums.use(self._thresholds)
        self._runs = {}
        self._due = self._next_execution()

    def go_over(self, definitions: Definitions) -> None:
        """Judge by other definitions from the clock on: what has no threshold any more ends, what stands is judged."""
        self.use(definitions)
        for told in list(self._told.values()):
            if told.is_open and not self._thresholds.is_rung(told.rule, told.item, told.severity):
                self._tell(told, "cleared")
        for code in sorted(self._thresholds.judged):
            today = self._thresholds.date_of(self.clock)
            for series in sorted(self._totals.series(code, ("", today))):
                for day in ("", today):
                    self._judge_change(series, day, self.clock)

    # -- what comes in

    def note_run(self, *, notify_from: int, live_from: int) -> None:
        """Say from when on people are told, and from when on this owner has been running."""
        self._alerts.notify_from, self._alerts.live_from = notify_from, live_from

    def note(self, key: str, delta: IndicatorDelta) -> None:
        """Keep a difference that was added to the totals until the clock has passed its moment."""
        grid = self._thresholds.grids.get(delta.indicator)
        if grid is None:
            return
        moment = max(-(-delta.at // grid) * grid, self.clock + 1)
        self._hold(moment, key, delta.numerator, delta.denominator)
        self._changed.add(f"{LATER}{moment}:{key}")

    def _hold(self, moment: int, key: str, numerator: Number, denominator: Number) -> None:
        if moment not in self._later:
            self._later[moment] = {}
            heappush(self._moments, moment)
        was = self._later[moment].get(key, (0, 0))
        self._later[moment][key] = added(was[0], numerator), added(was[1], denominator)
        held = self._sums.held.get(key, (0, 0))
        self._sums.held[key] = added(held[0], numerator), added(held[1], denominator)

    # -- what is kept

    @staticmethod
    def is_row(key: str) -> bool:
        """Tell whether a row of the changelog is the judge's."""
        return key.startswith("\x01")

    def load(self, rows: Mapping[str, bytes], clock: int) -> None:
        """Take back what was kept, each key once; the totals are there already."""
        for key, data in rows.items():
            if key.startswith(TOLD):
                self._told[key.removeprefix(TOLD)] = _decode_told(data)
            elif key.startswith(WINDOW):
                self._windows.load(_decode_window(data))
            else:
                moment, _, name = key.removeprefix(LATER).partition(":")
                self._hold(int(moment), name, *_decode_later(data))
        heapify(self._moments)
        self.clock = clock
        self._sums.go_to(clock)
        self._runs = {}
        self._due = self._next_execution()

    def __len__(self) -> int:
        """How many rows it keeps."""
        return len(self._told) + len(self._windows.rows) + sum(len(keys) for keys in self._later.values())

    @property
    def has_news(self) -> bool:
        """Tell whether there are rows to be written, or something is to be told."""
        return bool(self._changed or self._windows.changed or self._alerts.alerts)

    def take_rows(self) -> list[tuple[str, bytes | None]]:
        """Give the rows that changed, sorted by key; None: it is gone."""
        rows: dict[str, bytes | None] = {}
        for key in self._changed:
            if key.startswith(TOLD):
                rows[key] = _encode(self._told[key.removeprefix(TOLD)])
            else:
                moment, _, name = key.removeprefix(LATER).partition(":")
                found = self._later.get(int(moment), {}).get(name)
                rows[key] = None if found is None else _encode(found)
        for name in self._windows.changed:
            rows[f"{WINDOW}{name}"] = _encode(self._windows.rows[name])
        self._changed, self._windows.changed = set(), set()
        return sorted(rows.items())

    def take_alerts(self) -> tuple[list[AlertEvent], list[Notice]]:
        """Give what is to be told, in order."""
        found = self._alerts.alerts, self._alerts.notices
        self._alerts.alerts, self._alerts.notices = [], []
        return found

    # -- the clock

    @property
    def next_due(self) -> int | None:
        """When there is something to judge."""
        times = [self._due, self._windows.due, self._moments[0] if self._moments else None]
        return min((time for time in times if time is not None), default=None)

    def advance(self, until: int) -> None:
        """Judge everything up to and including `until`. Backwards: nothing happens."""
        if not self.clock and until > 0:  # nothing that was before the first difference is judged
            self.clock = min([until, *(moment - 1 for moment in self._moments[:1])])
            self._due = self._next_execution()
        while (due := self.next_due) is not None and due <= until:
            self._judge_moment(due)
        self.clock = max(self.clock, until)

    def _next_execution(self) -> int | None:
        """Give when anything is judged next by the clock alone; None: never."""
        if not self.clock:
            return None
        for table in self._thresholds.timetables:
            due = self._runs.get(table, 0)
            if due is not None and due <= self.clock:
                self._runs[table] = table.next_after(self.clock)
        return min((due for due in self._runs.values() if due is not None), default=None)

    def _judge_moment(self, now: int) -> None:
        self.clock = now
        self._sums.go_to(now)
        keys: dict[str, tuple[Number, Number]] = {}
        while self._moments and self._moments[0] <= now:
            moment = heappop(self._moments)
            for key, (numerator, denominator) in self._later.pop(moment).items():
                was = keys.get(key, (0, 0))
                keys[key] = added(was[0], numerator), added(was[1], denominator)
                self._release(key, numerator, denominator)
                self._changed.add(f"{LATER}{moment}:{key}")
        self._judge_windows(keys, now)
        for key in sorted(keys):
            self._judge_change(*key_parts(key), now)
        if self._due is not None and self._due <= now:
            self._execute(now)
            self._due = self._next_execution()

    def _release(self, key: str, numerator: Number, denominator: Number) -> None:
        held = self._sums.held.get(key, (0, 0))
        rest = added(held[0], -numerator), added(held[1], -denominator)
        if rest == (0, 0):
            self._sums.held.pop(key, None)
        else:
            self._sums.held[key] = rest

    # -- what is judged

    def _judge_windows(self, keys: Mapping[str, tuple[Number, Number]], now: int) -> None:
        """Let events in and out of the windows, then judge those that changed."""
        events: dict[Series, tuple[Number, Number]] = {}
        for key, (numerator, denominator) in keys.items():
            series, _ = key_parts(key)
            if series.indicator in self._thresholds.windowed:
                was = events.get(series, (0, 0))
                events[series] = added(was[0], numerator), added(was[1], denominator)
        of_subject: dict[tuple[str, Subject], tuple[Number, Number]] = {}
        for series, (numerator, denominator) in events.items():
            for subject in self._sums.subjects(series):
                was = of_subject.get((series.indicator, subject), (0, 0))
                of_subject[series.indicator, subject] = added(was[0], numerator), added(was[1], denominator)
        touched = {(window.indicator, window.subject) for window in self._windows.expire(now)}
        for (indicator, subject), event in of_subject.items():
            for judged in self._judged(indicator, subject):
                self._windows.add(judged, subject, (now, *event))
        for indicator, subject in sorted(touched | of_subject.keys()):
            for judged in self._judged(indicator, subject):
                window = self._windows.of(judged, subject)
                if window is not None:
                    self._settle(judged, subject, None, window.mean(judged.threshold.min_count), now)

    def _judge_change(self, series: Series, day: str, now: int) -> None:
        """Judge what a change of one value touches: at once, or again if it was judged before."""
        for subject in self._sums.subjects(series):
            for judged in self._judged(series.indicator, subject):
                if judged.threshold.window is not None:
                    continue
                if not day:
                    if judged.needs_events:
                        self._judge(judged, subject, None, now)
                    continue
                for period in _touched(judged, day):
                    self._judge_again(judged, subject, period, now)
                    if judged.threshold.compare == "peer_mean":
                        for sibling in self._sums.siblings(series.indicator, subject, dates_of(period)):
                            self._judge_again(judged, sibling, period, now)

    def _judge_again(self, judged: Judged, subject: Subject, period: Period, now: int) -> None:
        at = judged.timetable.judged_at(period)
        if at is None and not judged.needs_events:  # by the hour: the day so far, until it is over
            at = self._thresholds.end_of(period)
        if at is None or at < now:
            over = self._thresholds.end_of(period) if at is None else at
            self._judge(judged, subject, period, now, may_raise=now - over < LATE_MS)

    def _execute(self, now: int) -> None:
        """Judge all that is to be judged at this moment by the clock."""
        for table in [table for table, due in self._runs.items() if due == now]:
            for code in filter(self._totals.dates, self._thresholds.codes_at[table]):
                for period in (None, table.period_at(now)):
                    for subject in self._known(code, dates_of(period)):
                        for judged in self._judged(code, subject):
                            if judged.timetable is table and judged.threshold.window is None:
                                self._judge(judged, subject, period, now)

    def _known(self, code: str, dates: Iterable[str]) -> list[Subject]:
        series = self._totals.series(code, dates)
        return sorted({subject for each in series for subject in self._sums.subjects(each)})

    def _judged(self, indicator: str, subject: Subject) -> list[Judged]:
        """Give the thresholds of a value that are about its process."""
        process = subject.known().get("process", "")
        every = self._thresholds.of(indicator, subject.unit)
        return [judged for judged in every if not judged.processes or process in judged.processes]

    def _judge(
        self, judged: Judged, subject: Subject, period: Period | None, now: int, *, may_raise: bool = True
    ) -> None:
        value = self._compared(judged, subject, period)
        is_first = True
        if judged.threshold.trigger == "edge" and period is not None and value is not None:
            last = self._compared(judged, subject, before(judged.timetable.execution.frequency, period))
            is_first = last is None or not judged.is_breached(last)
        self._settle(judged, subject, period, value, now, may_raise=may_raise and is_first)

    def _settle(  # noqa: PLR0913 - one threshold, one value, and when
        self, judged: Judged, subject: Subject, period: Period | None, value: Ratio | None, now: int, *,
        may_raise: bool = True,
    ) -> None:  # fmt: skip
        """Raise, end or reopen what one threshold says of one value."""
        told = self._alerts.told_of(judged, subject, "" if period is None else period.label)
        known = self._told.get(told.alert_id)
        if value is not None and judged.is_breached(value):
            if known is None and may_raise:
                self._alerts.raise_it(told, judged, subject, value, now)
                self._told[told.alert_id] = told
                self._changed.add(TOLD + told.alert_id)
            elif known is not None and not known.is_open and may_raise:
                self._tell(known, "reopened")
        elif known is not None and known.is_open and (value is None or judged.is_cleared(value)):
            self._tell(known, "cleared")

    def _tell(self, told: Told, kind: str) -> None:
        self._alerts.tell(told, "reopened" if kind == "reopened" else "cleared")
        self._changed.add(TOLD + told.alert_id)

    def _compared(self, judged: Judged, subject: Subject, period: Period | None) -> Ratio | None:
        """Give the value of a subject less its base; None: one of them is not known."""
        threshold, frequency = judged.threshold, judged.timetable.execution.frequency
        code, dates = threshold.indicator, dates_of(period)
        value = self._sums.value(code, subject, dates, threshold.min_count)
        if value is None or threshold.compare == "absolute":
            return value
        if threshold.compare == "peer_mean":
            base = self._sums.peers(code, subject, dates)
        elif period is None:
            return None
        else:
            is_last = threshold.compare == "last_period"
            earlier = before(frequency, period) if is_last else years_on(frequency, period, -1)
            base = self._sums.value(code, subject, dates_of(earlier), threshold.min_count)
        return None if base is None else value.less(base, relative=threshold.relative)


def _touched(judged: Judged, day: str) -> list[Period]:
    """Give the periods whose judgement a change of a day touches."""
    frequency = judged.timetable.execution.frequency
    period = period_of(frequency, day)
    found = [period]
    is_edge, compare = judged.threshold.trigger == "edge", judged.threshold.compare
    if is_edge or compare == "last_period":
        found.append(after(frequency, period))
    if is_edge and compare == "last_period":
        found.append(after(frequency, found[-1]))
    if compare == "same_period_last_year":
        found.append(years_on(frequency, period, 1))
    return found
