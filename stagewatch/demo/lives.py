"""How applications and list items live: months of them, at office hours, on workdays, mostly in time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from stagewatch.demo.office import SECOND_MS, Application, Office
from stagewatch.demo.source import Row
from stagewatch.demo.workdays import DAY_MS, HOUR_MS, MINUTE_MS, at_work

HV_STAGES = ("ACCEPT", "SURVEY", "SCHEME", "DESIGN", "DESIGN_REVIEW", "BUILD", "TEST", "COMPLETE", "CONNECT", "ARCHIVE")
LV_STAGES = ("ACCEPT", "SCHEME", "CONNECT", "ARCHIVE")
MEAN_DAYS = {
    True: {"ACCEPT": 0.2, "SURVEY": 2.8, "SCHEME": 7.0, "DESIGN": 13.0, "DESIGN_REVIEW": 5.0, "BUILD": 13.0,
           "TEST": 4.0, "COMPLETE": 2.5, "CONNECT": 2.5, "ARCHIVE": 1.2},
    False: {"ACCEPT": 0.05, "SCHEME": 2.0, "CONNECT": 2.0, "ARCHIVE": 1.2},
}  # fmt: skip
"""Days that a stage takes on average, by whether it is high voltage; most meet their limits."""
REJECTED_TO = {"DESIGN_REVIEW": "DESIGN", "COMPLETE": "TEST"}
HV_SHARE = 0.55
SLOW_SHARE, SLOW_FACTOR = 0.06, 3.0
SUSPENDED_SHARE, REJECTED_SHARE, STUCK_SHARE = 0.06, 0.12, 0.03
LATE_NEWS = (0, 0, 0, 0, 0, 0, 1, 5, 26)
"""Hours after the fact at which the end of a stage is told."""


def stages_of(app: Application) -> tuple[str, ...]:
    """Give the stages of an application's process, in order."""
    return HV_STAGES if app.is_hv else LV_STAGES


def live(office: Office, app: Application, accepted_at: int) -> None:
    """Let an application go its way, to the archive or until it is stuck."""
    stages, index, at = list(stages_of(app)), 0, accepted_at + 5 * MINUTE_MS
    while index < len(stages):
        stage = stages[index]
        end = _stay(office, app, stage, at)
        if end is None:
            return
        is_rejected = app.visits[-1]["result_code"] == "rejected"
        at = at_work(end + office.rng.randrange(2, 40) * MINUTE_MS)
        index = stages.index(REJECTED_TO[stage]) if is_rejected else index + 1
    office.archive(app, at)


def _stay(office: Office, app: Application, stage: str, at: int) -> int | None:
    """Spend one visit in a stage; give when the office knows that it has ended, None if it never does."""
    rng = office.rng
    visit = office.enter(app, stage, at)
    if stage == "BUILD":
        office.plan_works(app, at + 10 * SECOND_MS, rng.randrange(15, 45))
    days = _days(rng, MEAN_DAYS[app.is_hv][stage])
    if rng.random() < SUSPENDED_SHARE and days > 2:  # noqa: PLR2004 - shorter stays are not worth a form
        days += _suspend(office, visit, at, days)
    if rng.random() < STUCK_SHARE:
        return None
    end = at_work(at + int(days * DAY_MS))
    told = end + rng.choice(LATE_NEWS) * HOUR_MS + rng.randrange(3, 90) * SECOND_MS
    can_fail = stage in REJECTED_TO and visit["visit_no"] == 1
    result = "rejected" if can_fail and rng.random() < REJECTED_SHARE else "ok"
    office.update(visit, told, finished_at=end, result_code=result)
    return told


def _days(rng: random.Random, mean: float) -> float:
    days = rng.gammavariate(2.0, mean / 2)
    return days * SLOW_FACTOR if rng.random() < SLOW_SHARE else days


def _suspend(office: Office, visit: Row, at: int, days: float) -> float:
    """Suspend a stage for the customer's sake and take it up again; give the days it took."""
    begin = at_work(at + int(office.rng.uniform(0.2, 0.5) * days * DAY_MS))
    end = at_work(begin + int(office.rng.uniform(0.5, 6) * DAY_MS))
    office.update(visit, begin + SECOND_MS, suspend_from=begin, suspend_reason="客户原因")
    office.update(visit, end + SECOND_MS, suspend_to=end)
    return (end - begin) / DAY_MS


@dataclass(frozen=True, slots=True)
class Listing:
    """When things happen to a list item; None: not yet."""

    determined: int
    published: int | None
    cleared: int | None


def list_item(office: Office, equipment: Row, listing: Listing, *, is_line: bool = False) -> Row:
    """Let a list item live."""
    item = office.determine(listing.determined, equipment, days=office.rng.randrange(10, 90), is_line=is_line)
    if listing.published is not None:
        office.publish(item, listing.published)
    if listing.cleared is not None:
        office.clear(item, listing.cleared)
    return item


def hurry_to(office: Office, app: Application, accepted_at: int, stage: str, at: int) -> Row:
    """Bring an application to a stage that it enters exactly `at`; the stages before share the time evenly."""
    before: Sequence[str] = stages_of(app)[: stages_of(app).index(stage)]
    entered = accepted_at + MINUTE_MS
    for number, name in enumerate(before, start=1):
        end = accepted_at + (at - accepted_at) * number // len(before) - MINUTE_MS
        visit = office.enter(app, name, entered)
        if name == "BUILD":
            office.plan_works(app, entered + 10 * SECOND_MS, 60)
        office.update(visit, end + 5 * SECOND_MS, finished_at=end, result_code="ok")
        entered = end + 30 * SECOND_MS
    return office.enter(app, stage, at)
