"""What must have come of what was told: a count of its own, which shares nothing with the engine.

It covers exactly the lives of `lives.py`: surveys that are weeks late or new (R-T03), designs that fall idle to the
millisecond (R-T05), news of long ago (R-T19), applications below a listed transformer (R-N01), and who is told.
Whatever it could not decide beyond doubt it refuses (`Ambiguous`): then the generator is wrong, not the product.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fault.feed import Sent
from tests.fault.lives import APP, DAY_MS, IDLE_ALARM_MS, IDLE_WARN_MS, ITEM, MANAGER, PROGRESS, Row

BACKDATED_MS = 3 * DAY_MS
SURELY_LATE_MS, SURELY_IN_TIME_MS = 30 * DAY_MS, 2 * DAY_MS
"""Five workdays, whatever the calendar: certainly over after thirty days, certainly not after two."""
SURE_MS = 300
"""A record that was in its log so long before something fell due was there in time."""


class Ambiguous(Exception):
    """The truth cannot be told from what was fed: the generator must not make such lives."""


class Event(NamedTuple):
    """An alert event by what it is about, not by how the product numbers it."""

    event: str
    rule: str
    severity: str
    instance: str
    stage: str | None
    visit: int | None
    item: str | None


class Told(NamedTuple):
    """One person told of one raised rung over one channel."""

    raised: Event
    recipient: str
    channel: str


class Visit(NamedTuple):
    """A visit as it stands at the end; times are epoch ms."""

    stage: str
    visit: int
    entered_at: int | None
    finished_at: int | None


class Rung(NamedTuple):
    """A rung as an instance keeps it."""

    rule: str
    severity: str
    stage: str | None
    visit: int | None
    item: str | None
    is_open: bool


@dataclass
class Instance:
    """An instance as it stands at the end."""

    process: str
    status: str = "running"
    fields: dict[str, str] = field(default_factory=dict)
    visits: set[Visit] = field(default_factory=set)
    rungs: set[Rung] = field(default_factory=set)


class Raised(NamedTuple):
    """When an event must have been raised: not before `earliest`; `exactly` where that is known. Epoch ms."""

    earliest: int
    exactly: int | None


@dataclass
class Truth:
    """All that must be there, each once, and nothing else."""

    events: dict[Event, Raised] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    told: set[Told] = field(default_factory=set)


class _Due(NamedTuple):
    rule: str
    severity: str
    due: int


def truth(sent: Sequence[Sent], until: int) -> Truth:
    """Count what must have come of `sent` by `until` (epoch ms)."""
    found = Truth()
    managers: dict[str, Row] = {}
    items: dict[str, Row] = {}
    lives: dict[str, list[Sent]] = defaultdict(list)
    for each in sent:
        if each.topic == MANAGER:
            managers[each.row["tg_no"]] = each.row
        elif each.topic == ITEM:
            items[each.row["tg_no"]] = each.row
            fields = {name: str(each.row[name]) for name in ("tg_no", "limit_level")}
            found.instances[each.row["nl_no"]] = Instance("negative_list", fields=fields)
        elif each.topic in {APP, PROGRESS}:
            lives[each.of].append(each)
    for app_no, records in lives.items():
        _Life(found, app_no, items, until).count(sorted(records, key=lambda r: r.at))
    for event in found.events:
        if event.event == "raised":
            manager = managers[found.instances[event.instance].fields["tg_no"]]
            channel = "mail" if manager["sup_method"] == "online" else "sms"
            found.told.add(Told(event, manager["mgr_no"], channel))
    return found


def last_due(sent: Sequence[Sent], now: int) -> int:
    """Give when the last of the timers runs out that were set for about now (epoch ms); 0 if none was."""
    entered = [each.row["entered_at"] for each in sent if each.topic == PROGRESS and each.row["stage_code"] == "DESIGN"]
    dues = [at + age for at in entered for age in (IDLE_WARN_MS, IDLE_ALARM_MS)]
    return max((due for due in dues if due < now + DAY_MS), default=0)


class _Life:
    def __init__(self, found: Truth, app_no: str, items: dict[str, Row], until: int) -> None:
        self.found, self.app_no, self.items, self.until = found, app_no, items, until
        self.instance = found.instances[app_no] = Instance("hv_connection")

    def count(self, records: Sequence[Sent]) -> None:
        rows: dict[int, list[Sent]] = defaultdict(list)
        for number, each in enumerate(records):
            if each.topic == APP:
                self._main(each, is_first=number == 0)
            else:
                rows[each.row["progress_id"]].append(each)
        for versions in rows.values():
            self._visit(versions)

    def _main(self, record: Sent, *, is_first: bool) -> None:
        row, instance = record.row, self.instance
        instance.fields = {name: str(row[name]) for name in ("tg_no", "apply_cap_kva", "status_code")}
        instance.status = "over" if row["archived_at"] is not None else "running"
        item = self.items.get(row["tg_no"])
        if is_first and item is not None:
            severity = "WARN" if item["limit_level"] == "1" else "ALARM"
            self._raise(Event("raised", "R-N01", severity, self.app_no, None, None, item["nl_no"]), record.at)
            instance.rungs.add(Rung("R-N01", severity, None, None, item["nl_no"], is_open=True))

    def _visit(self, versions: Sequence[Sent]) -> None:
        first, last = versions[0], versions[-1]
        row = last.row
        stage, visit, entered, finished = row["stage_code"], row["visit_no"], row["entered_at"], row["finished_at"]
        self.instance.visits.add(Visit(stage, visit, entered, finished))
        if first.at - entered > BACKDATED_MS:
            self._raise(Event("raised", "R-T19", "ALARM", self.app_no, stage, visit, None), first.at)
            self.instance.rungs.add(Rung("R-T19", "ALARM", stage, visit, None, is_open=True))
        told_end = last.at if finished is not None else None
        for rule, severity, due in _dues(stage, entered, first.at):
            if self._is_reached(due, told_end):
                raised = Event("raised", rule, severity, self.app_no, stage, visit, None)
                self._raise(raised, max(due, first.at), due if first.acked_at + SURE_MS < due else None)
                self.instance.rungs.add(Rung(rule, severity, stage, visit, None, is_open=finished is None))
                if finished is not None:
                    self.found.events[raised._replace(event="closed" if finished > due else "cleared")] = Raised(
                        0, None
                    )

    def _is_reached(self, due: int, told_end: int | None) -> bool:
        """Whether something fell due before its end was told, or by the end of the count; days away else."""
        end = self.until if told_end is None else told_end
        if end < due < end + DAY_MS:
            raise Ambiguous(f"{self.app_no}: due at {due}, counted at {end}")
        return due <= end

    def _raise(self, event: Event, earliest: int, exactly: int | None = None) -> None:
        self.found.events[event] = Raised(earliest, exactly)


def _dues(stage: str, entered: int, at: int) -> Iterator[_Due]:
    if stage == "DESIGN":
        yield _Due("R-T05", "WARN", entered + IDLE_WARN_MS)
        yield _Due("R-T05", "ALARM", entered + IDLE_ALARM_MS)
    elif stage == "SURVEY" and at - entered > SURELY_LATE_MS:
        yield _Due("R-T03", "WARN", entered + SURELY_LATE_MS)
        yield _Due("R-T03", "ALARM", entered + SURELY_LATE_MS)
    elif stage == "SURVEY" and at - entered > SURELY_IN_TIME_MS:
        raise Ambiguous(f"a survey that was entered {(at - entered) / DAY_MS:.1f} days ago")
