"""Realistic lives for the benchmarks: applications of two kinds, their stages, and a negative list beside them.

Seeded: the same `Plan` gives the same happenings, so that the records that go to Kafka can be judged again
without it. Only open lives are in memory, whatever the number of events.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from bench.rows import Application, District, Happening, ListItem, Progress, Responsible, iso
from schemas import Recorded

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_767_574_800_000
"""2026-01-05T09:00+08:00, a Monday: all of it lies in a year whose workdays are published."""
SPAN_DAYS = 180
CHANGES_PER_LIFE = 10
"""Records by the end of the span per application begun in it (finished ones: 10 LV, 22 HV)."""
HV_SHARE = 0.35
LATE_SHARE = 0.06
"""Stages that overrun; with those that come near their deadline, 5 to 10 % raise something."""
DELAYED_NEWS_SHARE = 0.03
"""Changes known hours after the fact, not minutes."""
LIVES_PER_ITEM = 400


class Stage(NamedTuple):
    """How long a stage takes, in days: when it is in time, and when it overruns."""

    code: str
    dept: str
    usual: tuple[float, float]
    late: tuple[float, float]


HV_STAGES = (
    Stage("ACCEPT", "MKT", (0.1, 0.4), (2, 4)),
    Stage("SURVEY", "MKT", (0.5, 2.5), (7, 14)),
    Stage("SCHEME", "DEV", (2, 7), (18, 35)),
    Stage("DESIGN", "DSN", (6, 20), (48, 75)),
    Stage("DESIGN_REVIEW", "MKT", (1, 5), (13, 24)),
    Stage("BUILD", "BLD", (6, 20), (30, 60)),
    Stage("TEST", "TST", (1, 7), (11, 25)),
    Stage("COMPLETE", "MKT", (0.5, 2.5), (7, 14)),
    Stage("CONNECT", "MKT", (0.5, 2.5), (7, 14)),
    Stage("ARCHIVE", "MKT", (0.1, 0.8), (4, 9)),
)
LV_STAGES = (
    Stage("ACCEPT", "MKT", (0.02, 0.1), (1.1, 3)),
    Stage("SCHEME", "MKT", (0.4, 2), (10, 16)),
    Stage("CONNECT", "OPS", (0.4, 2), (7, 14)),
    Stage("ARCHIVE", "MKT", (0.1, 0.8), (4, 9)),
)


class Plan(msgspec.Struct, frozen=True):
    """What to generate; everything follows from it."""

    events: int
    seed: int = 7

    @property
    def lives(self) -> int:
        """Applications that are begun."""
        return max(self.events // CHANGES_PER_LIFE, 20)

    @property
    def districts(self) -> int:
        """Transformer districts: some thirty applications each."""
        return min(max(self.lives // 30, 40), 20_000)


class Neighbourhood:
    """Where things are: numbers that belong together."""

    def __init__(self, number: int) -> None:
        self.tg_no = f"TG{number:05d}"
        self.trans_no = f"T{number:05d}"
        self.line_no = f"L{number // 8:04d}"
        self.subs_no = f"S{number // 64:03d}"
        self.mgr_no = f"M{number // 4:05d}"
        self.org_no = f"33401{number % 6:02d}"


def records(plan: Plan) -> Iterator[Recorded]:
    """Give the plan's records in order of arrival, exactly `plan.events` of them."""
    from bench.rows import Connector  # noqa: PLC0415 - a new one for each pass

    return map(Connector().record, happenings(plan))


def happenings(plan: Plan) -> Iterator[Happening]:
    """Give what happens, in order of arrival: reference rows first, then lives and list items side by side."""
    return islice(chain(_references(plan), _side_by_side(plan)), plan.events)


def _references(plan: Plan) -> Iterator[Happening]:
    at = START_MS - DAY_MS
    for number in range(plan.districts):
        place = Neighbourhood(number)
        since = iso(at)
        yield Happening(at + number, "c", District(
            place.tg_no, f"城北{number}号公变台区", place.trans_no, place.line_no, place.org_no, 400, since
        ))  # fmt: skip
        yield Happening(at + number, "c", Responsible(
            place.tg_no, place.mgr_no, f"经理{number // 4}", f"138{number // 4:08d}",
            "online" if number % 5 in (0, 1) else "sms", since, None, since,
        ))  # fmt: skip


def _side_by_side(plan: Plan) -> Iterator[Happening]:
    """Merge all lives by time; a life is begun when its time has come."""
    rng = random.Random(plan.seed)
    spacing = SPAN_DAYS * DAY_MS / plan.lives
    open_lives: list[tuple[int, int, Happening, Iterator[Happening]]] = []
    begun = 0
    while True:
        while begun < plan.lives and (not open_lives or START_MS + begun * spacing <= open_lives[0][0]):
            for life in _begin(plan, rng, begun, START_MS + int(begun * spacing)):
                first = next(life)
                heappush(open_lives, (first.at, 2 * begun + isinstance(first.row, ListItem), first, life))
            begun += 1
        if not open_lives:
            return
        _, number, happening, life = heappop(open_lives)
        yield happening
        following = next(life, None)
        if following is not None:
            heappush(open_lives, (following.at, number, following, life))


def _begin(plan: Plan, rng: random.Random, number: int, at: int) -> list[Iterator[Happening]]:
    place = Neighbourhood(rng.randrange(plan.districts))
    lives = [_application(random.Random(rng.random()), number, place, at)]
    if number % LIVES_PER_ITEM == LIVES_PER_ITEM // 2:
        lives.append(_list_item(random.Random(rng.random()), number // LIVES_PER_ITEM, place, at))
    return lives


def _application(rng: random.Random, number: int, place: Neighbourhood, at: int) -> Iterator[Happening]:
    """One application from its row to its archiving."""
    is_hv = rng.random() < HV_SHARE
    row = new_application(number, place, at, is_hv=is_hv)
    known = at + _news_after(rng)
    yield Happening(known, "c", row)
    time = at
    for serial, stage in enumerate(HV_STAGES if is_hv else LV_STAGES):
        entered = Progress(
            number * 16 + serial, row.app_no, stage.code, 1, stage.dept, f"H{number % 997:03d}", iso(time), None, None,
            None, None, None, None, iso(time),
        )  # fmt: skip
        known = max(known + 1, time + _news_after(rng))
        yield Happening(known, "c", entered)
        time += int(rng.uniform(*(stage.late if rng.random() < LATE_SHARE else stage.usual)) * DAY_MS)
        known = max(known + 1, time + _news_after(rng))
        finished = msgspec.structs.replace(entered, finished_at=iso(time), result_code="pass", upd_at=iso(time))
        yield Happening(known, "u", finished)
    archived = msgspec.structs.replace(row, status_code="archived", archived_at=iso(time), upd_at=iso(time))
    yield Happening(known + 1, "u", archived, row)


def new_application(number: int, place: Neighbourhood, at: int, *, is_hv: bool) -> Application:
    """Give the row of an application accepted at `at`."""
    volt_class, level, capacity = ("HV", "AC00101", 2_000) if is_hv else ("LV", "AC00201", 80)
    return Application(
        f"3326{number:08d}", f"C{number:09d}", f"浙江丙{number}有限公司", f"139{number % 10**8:08d}", place.org_no,
        "new", volt_class, level, 1 + (is_hv and number % 10 == 0), capacity + number % 700, place.tg_no,
        place.line_no, place.subs_no, place.mgr_no, iso(at), "running", None, iso(at),
    )  # fmt: skip


def _list_item(rng: random.Random, number: int, place: Neighbourhood, at: int) -> Iterator[Happening]:
    """One transformer that is short of capacity: determined, published a day later, cleared after weeks."""
    planned = at // DAY_MS + rng.randrange(15, 60)
    row = ListItem(
        f"NL{number:06d}", place.org_no, "某供电公司", f"城北{place.tg_no}公变", place.trans_no, place.tg_no,
        iso(at), planned, str(rng.randrange(1, 4)), 400, f"0.{rng.randrange(8000, 9900)}", None, None, iso(at),
    )  # fmt: skip
    known = at + _news_after(rng)
    yield Happening(known, "c", row)
    for name, days in (("published_at", (0.5, 2)), ("cleared_at", (12, 70))):
        at += int(rng.uniform(*days) * DAY_MS)
        known = max(known + 1, at + _news_after(rng))
        row = msgspec.structs.replace(row, **{name: iso(at), "upd_at": iso(at)})
        yield Happening(known, "u", row)


def _news_after(rng: random.Random) -> int:
    """How long after the fact its record arrives, ms."""
    if rng.random() < DELAYED_NEWS_SHARE:
        return int(rng.uniform(1, 30) * HOUR_MS)
    return int(rng.uniform(2, 600) * 1000)
