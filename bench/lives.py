"""Realistic lives: applications of two kinds from their row to their archiving, and items of the negative list."""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import msgspec

from bench.rows import Application, Happening, ListItem, Progress, iso

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HV_SHARE = 0.35
LATE_SHARE = 0.06
"""Stages that overrun; with those that come near their deadline, 5 to 10 % raise something."""
DELAYED_NEWS_SHARE = 0.03
"""Changes known hours after the fact, not minutes."""


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


def stages_of(*, is_hv: bool) -> tuple[Stage, ...]:
    """Give the stages of a kind, in their order."""
    return HV_STAGES if is_hv else LV_STAGES


def mean_days(stage: Stage) -> float:
    """How long a stage takes on average."""
    return (1 - LATE_SHARE) * sum(stage.usual) / 2 + LATE_SHARE * sum(stage.late) / 2


class Neighbourhood:
    """Where things are: numbers that belong together."""

    def __init__(self, number: int) -> None:
        self.tg_no = f"TG{number:05d}"
        self.trans_no = f"T{number:05d}"
        self.line_no = f"L{number // 8:04d}"
        self.subs_no = f"S{number // 64:03d}"
        self.mgr_no = f"M{number // 4:05d}"
        self.org_no = f"33401{number % 6:02d}"


def whole_life(rng: random.Random, number: int, place: Neighbourhood, at: int) -> Iterator[Happening]:
    """One application from its row to its archiving."""
    is_hv = rng.random() < HV_SHARE
    row = new_application(number, place, at, is_hv=is_hv)
    known = at + _news_after(rng)
    yield Happening(known, "c", row)
    for serial, stage in enumerate(stages_of(is_hv=is_hv)):
        visit = _visit(row, number * 16 + serial, stage, at)
        known = max(known + 1, at + _news_after(rng))
        yield Happening(known, "c", visit)
        at += _duration(rng, stage)
        known = max(known + 1, at + _news_after(rng))
        yield Happening(known, "u", _ended(visit, at))
    yield Happening(known + 1, "u", _archived(row, at), row)


def open_life(rng: random.Random, number: int, place: Neighbourhood, at: int, start: int) -> Iterator[Happening]:
    """One application that is under way at `at`: its row and the stage that is open, as a snapshot reads them.

    Then the rest of it, from `start` on.
    """
    is_hv, serial = rng.choices(_UNDER_WAY, cum_weights=_LIKELIHOODS)[0]
    stages = stages_of(is_hv=is_hv)
    lasts = _duration(rng, stages[serial])
    entered = at - int(rng.random() * lasts)
    accepted = entered - int(sum(map(mean_days, stages[:serial])) * DAY_MS)
    row = new_application(number, place, accepted, is_hv=is_hv)
    visit = _visit(row, number * 16 + serial, stages[serial], entered)
    yield Happening(at, "r", row)
    yield Happening(at, "r", visit)
    end = max(entered + lasts, start)
    known = end + _news_after(rng)
    yield Happening(known, "u", _ended(visit, end))
    for later in range(serial + 1, len(stages)):
        visit = _visit(row, number * 16 + later, stages[later], end)
        known = max(known + 1, end + _news_after(rng))
        yield Happening(known, "c", visit)
        end += _duration(rng, stages[later])
        known = max(known + 1, end + _news_after(rng))
        yield Happening(known, "u", _ended(visit, end))
    yield Happening(known + 1, "u", _archived(row, end), row)


def new_application(number: int, place: Neighbourhood, at: int, *, is_hv: bool) -> Application:
    """Give the row of an application accepted at `at`."""
    volt_class, level, capacity = ("HV", "AC00101", 2_000) if is_hv else ("LV", "AC00201", 80)
    return Application(
        f"3326{number:08d}", f"C{number:09d}", f"浙江丙{number}有限公司", f"139{number % 10**8:08d}", place.org_no,
        "new", volt_class, level, 1 + (is_hv and number % 10 == 0), capacity + number % 700, place.tg_no,
        place.line_no, place.subs_no, place.mgr_no, iso(at), "running", None, iso(at),
    )  # fmt: skip


def list_item(rng: random.Random, number: int, place: Neighbourhood, at: int) -> Iterator[Happening]:
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


def _visit(row: Application, progress_id: int, stage: Stage, at: int) -> Progress:
    return Progress(
        progress_id, row.app_no, stage.code, 1, stage.dept, f"H{progress_id % 997:03d}", iso(at), None, None,
        None, None, None, None, iso(at),
    )  # fmt: skip


def _ended(visit: Progress, at: int) -> Progress:
    return msgspec.structs.replace(visit, finished_at=iso(at), result_code="pass", upd_at=iso(at))


def _archived(row: Application, at: int) -> Application:
    return msgspec.structs.replace(row, status_code="archived", archived_at=iso(at), upd_at=iso(at))


def _duration(rng: random.Random, stage: Stage) -> int:
    return int(rng.uniform(*(stage.late if rng.random() < LATE_SHARE else stage.usual)) * DAY_MS)


_UNDER_WAY = [(is_hv, serial) for is_hv in (True, False) for serial in range(len(stages_of(is_hv=is_hv)))]
"""Kind and stage of an application that is under way, and how likely each is: by the time spent there."""
_LIKELIHOODS = list(accumulate(
    (HV_SHARE if is_hv else 1 - HV_SHARE) * mean_days(stages_of(is_hv=is_hv)[serial]) for is_hv, serial in _UNDER_WAY
))  # fmt: skip
MEAN_LIFE_DAYS = _LIKELIHOODS[-1]
"""From acceptance to the end, over both kinds."""
