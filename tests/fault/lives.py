"""Seeded lives of applications, made to be fed live: what is due is due beyond doubt, or days away.

Every life is a list of rows with the moment at which each is to be told. Nothing here knows the engine: a row is a
row of a source table, a time is a time. What follows from them is counted in `oracle.py`.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

SECOND_MS = 1_000
DAY_MS = 86_400_000
LATE_MS = 60 * DAY_MS
"""A survey this old is late in every calendar (limit: five workdays)."""
IDLE_WARN_MS, IDLE_ALARM_MS = 45 * DAY_MS, 60 * DAY_MS
"""R-T05 runs by the clock, so a design can be made to fall due to the millisecond."""
LISTED_SHARE, MAIL_SHARE = 0.15, 0.25
DISTRICTS = 20
APP, PROGRESS = "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress"
MANAGER, DISTRICT, ITEM = "cdc.mkt.tg_manager", "cdc.ymd.ymd_tg", "cdc.lean.lean_neg_trans"
KEYS = {APP: "app_no", PROGRESS: "progress_id", MANAGER: "tg_no", DISTRICT: "tg_no", ITEM: "nl_no"}

Row = dict[str, Any]


class Step(NamedTuple):
    """A row to be told at `at` (epoch ms) of the life `of`; a life's steps are told in order."""

    at: int
    of: str
    topic: str
    row: Row


def references(now: int) -> Iterator[Step]:
    """Give the districts, who answers for them and how, and the list items that are open over some."""
    for number in range(DISTRICTS):
        tg, at = f"TG{number:03d}", now - 3600 * SECOND_MS
        yield Step(now, tg, DISTRICT, {"tg_no": tg, "trans_no": f"T{number:03d}", "line_no": f"L{number % 4}",
                                      "org_no": f"33401{number % 3}", "rated_kva": 400, "is_public": True})  # fmt: skip
        yield Step(now, tg, MANAGER, {"tg_no": tg, "mgr_no": f"M{number:03d}", "mgr_name": "经理",
                                     "mobile": f"138{number:08d}", "sup_method": channel_of(number)})  # fmt: skip
        if number < DISTRICTS * LISTED_SHARE:
            yield Step(now, f"NL{number:03d}", ITEM, {
                "nl_no": f"NL{number:03d}", "org_no": "334010", "trans_no": f"T{number:03d}", "tg_no": tg,
                "determined_at": at, "published_at": at + 60 * SECOND_MS, "cleared_at": None, "limit_level": "2",
                "plan_finish_at": now // DAY_MS + 200,
            })  # fmt: skip


def channel_of(district: int) -> str:
    """Give how the manager of a district is told: `sms`, or `online`, which is a mail."""
    return "online" if district % round(1 / MAIL_SHARE) == 1 else "sms"


def new_life(seed: int, number: int, now: int) -> list[Step]:
    """Give the steps of one application that begins at `now`, in order."""
    rng = random.Random(f"{seed}/{number}")
    app_no = f"A{seed:04d}{number:07d}"
    district = rng.randrange(DISTRICTS)
    main: Row = {
        "app_no": app_no, "org_no": f"33401{district % 3}", "app_type": "new", "volt_class": "HV", "source_count": 1,
        "apply_cap_kva": rng.randrange(50, 4000), "tg_no": f"TG{district:03d}", "accepted_at": now - 60 * SECOND_MS,
        "cons_no": None, "line_no": None, "status_code": "running", "archived_at": None,
    }  # fmt: skip
    life = _Life(app_no, main, number * 100, [Step(now, app_no, APP, main)], rng)
    rng.choices([life.quiet, life.late, life.idle], [6, 2, 2])[0](now)
    return life.steps


class _Life:
    def __init__(self, app_no: str, main: Row, first_row: int, steps: list[Step], rng: random.Random) -> None:
        self.app_no, self.main, self.next_row, self.steps, self.rng = app_no, main, first_row, steps, rng

    def quiet(self, now: int) -> None:
        """Stages begin and end in time; nothing is raised. One in four is archived."""
        at = now
        for stage in ("ACCEPT", "SURVEY"):
            at = self._told(at, self._entered(stage, at), at) + self._gap(2.0)
        self.main = {**self.main, "apply_cap_kva": self.rng.randrange(50, 4000)}
        self._say(at, APP, self.main)
        is_listed = int(self.main["tg_no"][2:]) < DISTRICTS * LISTED_SHARE
        if self.rng.random() < 0.25 and not is_listed:  # the end would end what is said about its transformer
            self._say(at + self._gap(1.0), APP, {**self.main, "status_code": "archived", "archived_at": at})

    def late(self, now: int) -> None:
        """A survey is heard of weeks after it began; half of them end."""
        visit = self._entered("SURVEY", now - LATE_MS)
        at = now + self._gap(0.5)
        self._say(at, PROGRESS, visit)
        if self.rng.random() < 0.5:
            ended = at + self._gap(3.0)
            self._say(ended, PROGRESS, {**visit, "finished_at": ended, "result_code": "ok"})

    def idle(self, now: int) -> None:
        """A design falls idle to the millisecond seconds from now; a third of them end seconds later."""
        due = now + SECOND_MS + self._gap(2.5)
        age = self.rng.choice([IDLE_WARN_MS, IDLE_WARN_MS, IDLE_ALARM_MS])
        visit = self._entered("DESIGN", due - age)
        self._say(now + self._gap(0.5), PROGRESS, visit)
        if self.rng.random() < 0.33:
            ended = due + SECOND_MS + self._gap(2.0)
            self._say(ended, PROGRESS, {**visit, "finished_at": ended, "result_code": "ok"})

    def _told(self, at: int, visit: Row, entered: int) -> int:
        """Tell that a visit began and that it ended; give when."""
        self._say(at + self._gap(0.5), PROGRESS, visit)
        ended = max(at + self._gap(2.0), entered) + SECOND_MS
        self._say(ended, PROGRESS, {**visit, "finished_at": ended, "result_code": "ok"})
        return ended

    def _entered(self, stage: str, entered: int) -> Row:
        self.next_row += 1
        return {
            "progress_id": self.next_row, "app_no": self.app_no, "stage_code": stage, "visit_no": 1,
            "dept_code": "MKT", "handler_no": "H1", "entered_at": entered, "finished_at": None, "result_code": None,
            "suspend_from": None, "suspend_to": None,
        }  # fmt: skip

    def _say(self, at: int, topic: str, row: Row) -> None:
        self.steps.append(Step(at, self.app_no, topic, row))

    def _gap(self, most_s: float) -> int:
        return 1 + int(self.rng.random() * most_s * SECOND_MS)
