"""An independent evaluation of a capture by `definitions/evaluation/connection.yaml`. Shares nothing with `rules`.

Reads the captured rows themselves: the last state of each application and progress row, deadlines by hand-sized steps
(`tests.helpers.recount`), plain numbers. Weights, targets and floors are written here once more, as is the tree: a
unit is everything whose code begins with its own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from schemas import Recorded
from tests.helpers.recount import (
    Progress,
    Row,
    Spans,
    _news,
    _stage_rungs,
    day_of,
    is_workday,
    midnight,
    workdays_after,
)

STAGE_RULES = {"SCHEME": "R-T04", "DESIGN_REVIEW": "R-T06", "COMPLETE": "R-T11", "CONNECT": "R-T12", "ARCHIVE": "R-T13"}
DAY = 86_400_000
ITEMS: dict[str, tuple[str, float, float, float]] = {
    "connected_per_accepted": ("scale", 0.60, 1.0, 0.5),
    "archived_per_connected": ("scale", 0.40, 1.0, 0.5),
    "accept_on_time": ("efficiency", 0.15, 1.0, 0.7),
    "scheme_on_time": ("efficiency", 0.25, 1.0, 0.7),
    "scheme_time": ("efficiency", 0.10, 7, 15),
    "review_on_time": ("efficiency", 0.15, 1.0, 0.7),
    "acceptance_on_time": ("efficiency", 0.15, 1.0, 0.7),
    "connection_on_time": ("efficiency", 0.20, 1.0, 0.7),
    "order_and_dates": ("compliance", 0.60, 0, 0.1),
    "archived_late": ("compliance", 0.40, 0, 0.3),
    "whole_late": ("service", 0.60, 0, 0.5),
    "service_time": ("service", 0.40, 0, 0.5),
}
"""Item: dimension, weight in it, target, floor."""
ON_TIME = {"accept_on_time": "ACCEPT", "scheme_on_time": "SCHEME", "review_on_time": "DESIGN_REVIEW",
           "acceptance_on_time": "COMPLETE", "connection_on_time": "CONNECT"}  # fmt: skip


class Answer(NamedTuple):
    """A unit's score, its items' shares of what they could get, and which applications were late for which item."""

    total: float
    shares: dict[str, float]
    late: dict[str, set[str]]


@dataclass
class Application:
    """The last row of an application, and its visits."""

    row: Row = field(default_factory=dict)
    visits: dict[str, Progress] = field(default_factory=dict)

    def finished(self, stage: str, begin: date, end: date) -> Iterator[Progress]:
        for visit in self.visits.values():
            time = visit.row["finished_at"]
            if visit.row["stage_code"] == stage and time is not None and begin <= day_of(time) <= end:
                yield visit

    def is_late(self, visit: Progress) -> bool:
        dues = [due for _, severity, due in _stage_rungs(self.row, visit, [], is_resident=False) if severity == "ALARM"]
        return bool(dues) and visit.row["finished_at"] is not None and visit.row["finished_at"] > dues[0]

    def is_whole_late(self) -> bool:
        ends = [v.row["finished_at"] for v in self.visits.values() if v.row["stage_code"] == "CONNECT"]
        spans: Spans = [span for v in self.visits.values() for span in v.all_spans]
        days = (61 if self.row["source_count"] >= 2 else 46) if self.row["volt_class"] == "HV" else 17
        ended = max((time for time in ends if time is not None), default=None)
        return ended is not None and ended > workdays_after(self.row["accepted_at"], days, spans)


def applications(records: Iterable[Recorded]) -> dict[str, Application]:
    """Give every application of a capture as it was at the end."""
    found: dict[str, Application] = {}
    for news in sorted(_news(records), key=lambda each: (each.at, each.place)):
        if news.image is None or news.table not in {"mkt_app", "mkt_app_progress"}:
            continue
        app = found.setdefault(news.image["app_no"], Application())
        if news.table == "mkt_app":
            app.row = news.image
        else:
            known = app.visits.get(news.row)
            app.visits[news.row] = known.told(news.image) if known else Progress(news.image)
    return found


def answer(every: dict[str, Application], org_no: str, begin: date, end: date) -> Answer:
    """Give what a unit is due for the local dates from `begin` to `end`, both included."""
    apps = {no: app for no, app in every.items() if str(app.row["org_no"]).startswith(org_no)}
    is_in: Callable[[int | None], bool] = lambda time: time is not None and begin <= day_of(time) <= end  # noqa: E731
    archived = {no: app for no, app in apps.items() if is_in(app.row["archived_at"])}
    connected = sum(len(list(app.finished("CONNECT", begin, end))) for app in apps.values())
    accepted = sum(is_in(app.row["accepted_at"]) for app in apps.values())
    sums: dict[str, tuple[float, float]] = {
        "connected_per_accepted": (connected, accepted),
        "archived_per_connected": (len(archived), connected),
        "order_and_dates": (0, len(archived)),  # the capture has neither; its own expectations say so
    }
    late: dict[str, set[str]] = {}
    for item, stage in ON_TIME.items():
        visits = [(no, app, visit) for no, app in apps.items() for visit in app.finished(stage, begin, end)]
        late[item] = {no for no, app, visit in visits if app.is_late(visit)}
        sums[item] = (sum(not app.is_late(visit) for _, app, visit in visits), len(visits))
    took = [workdays(visit) for app in apps.values() for visit in app.finished("SCHEME", begin, end)]
    sums["scheme_time"] = (sum(took), len(took))
    for item, stages in (("archived_late", ("ARCHIVE",)), ("service_time", tuple(STAGE_RULES)[:4])):
        late[item] = {
            no
            for no, app in archived.items()
            if any(app.is_late(visit) for visit in app.visits.values() if visit.row["stage_code"] in stages)
        }
        sums[item] = (len(late[item]), len(archived))
    late["whole_late"] = {no for no, app in archived.items() if app.is_whole_late()}
    sums["whole_late"] = (len(late["whole_late"]), len(archived))
    return _scored(sums, late)


def _scored(sums: dict[str, tuple[float, float]], late: dict[str, set[str]]) -> Answer:
    shares = {}
    for item, (numerator, denominator) in sums.items():
        if denominator:
            _, _, target, floor = ITEMS[item]
            shares[item] = min(1.0, max(0.0, (numerator / denominator - floor) / (target - floor)))
    by_dimension: dict[str, float] = {}
    for dimension in {ITEMS[item][0] for item in shares}:
        own = [(ITEMS[item][1], share) for item, share in shares.items() if ITEMS[item][0] == dimension]
        by_dimension[dimension] = sum(weight * share for weight, share in own) / sum(weight for weight, _ in own)
    return Answer(100 * sum(by_dimension.values()) / len(by_dimension), shares, late)


def workdays(visit: Progress) -> int:
    """Count the workdays after the day of entry up to the day of the end, without those touched by a suspension."""
    day, last, count = day_of(visit.row["entered_at"]), day_of(visit.row["finished_at"]), 0
    while day < last:
        day += timedelta(days=1)
        begin = midnight(day)
        is_suspended = any(a < b and a < begin + DAY and b > begin for a, b in visit.all_spans)
        count += is_workday(day) and not is_suspended
    return count
