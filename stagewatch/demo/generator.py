"""The demo's story: months of history with old timestamps, then some seconds live.

History ends when the demo begins. What makes the live seconds interesting is prepared in it: idle stages that
were entered, to the second, so long ago that they fall due while the audience watches.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from stagewatch.demo.lives import HV_SHARE, Listing, hurry_to, list_item, live, stages_of
from stagewatch.demo.office import SECOND_MS, Application, Office
from stagewatch.demo.source import Happening, Row, in_order
from stagewatch.demo.workdays import DAY_MS, HOUR_MS, at_work, end_of, local_day, workday_deadline
from stagewatch.demo.world import World, make_world

HISTORY_DAYS = 150
"""Five months: longer than most applications live, so that every stage has its share of open ones."""
EVENTS_PER_APPLICATION = 13.8
"""What an application adds to a history that is cut off at its end, on average."""
ITEMS = 24
IDLE = (("DESIGN", 45), ("DESIGN", 60), ("TEST", 10), ("TEST", 15))
"""Stages and days after which silence is an alert."""
TIMERS_PER_SECOND = 1.2
LIVE_PER_SECOND = 4.0
JITTER, STEP_MS = 0.2, 125
"""Acts begin in the first fifth of their quarter of a second, and go on in its middle: so none meets the next."""
FIRST_S = 2.0
"""What happens first needs rows that are told a second before."""
LAST_S = 4.0
"""The live phase is quiet for its last seconds, so that all is told before the end."""
TELLING_MS = 5 * SECOND_MS
"""Within this every row of something that happened is told."""
GARBAGE = (b"\xff\xfe{not json", b'{"op":"u","after":{"app_no":"33', b'"a word"')


@dataclass(frozen=True, slots=True)
class Story:
    """What will happen. Both lists are in order of arrival, all arrivals differ."""

    world: World
    history: list[Happening]
    live: list[Happening]


def tell_story(*, seed: int, events: int, told_at: int, begins_at: int, seconds: float) -> Story:
    """Make up a story: about `events` changes of history up to `told_at`, and a live phase from `begins_at` on.

    Between the two (epoch ms) nothing is told: the worker starts and catches up meanwhile.
    """
    rng = random.Random(seed)
    world = make_world(rng)
    office = Office(world, rng)
    start = begins_at - HISTORY_DAYS * DAY_MS
    items = _list_items(office, start, begins_at)
    apps = _ordinary_lives(office, events, start, begins_at)
    _timers(office, told_at, begins_at, seconds)
    past = [happening for happening in office.happenings if happening.at <= told_at]
    history = in_order([*world.happenings(start - DAY_MS), *past])
    office.happenings = []
    _LivePhase(office, history, apps, items, begins_at, seconds).play()
    return Story(world, history, in_order(office.happenings))


def _ordinary_lives(office: Office, events: int, start: int, end: int) -> list[Application]:
    apps = []
    for _ in range(max(1, round(events / EVENTS_PER_APPLICATION))):
        accepted_at = at_work(start + int(office.rng.random() * (end - start)))
        app = office.accept(accepted_at, is_hv=office.rng.random() < HV_SHARE)
        live(office, app, accepted_at)
        apps.append(app)
    return apps


def _list_items(office: Office, start: int, end: int) -> list[Row]:
    rng, items = office.rng, []
    for number in range(ITEMS):
        determined = at_work(start + int(rng.random() * (end - start - 4 * DAY_MS)))
        published = at_work(determined + int(rng.uniform(0.1, 6) * DAY_MS))
        cleared = at_work(published + int(rng.uniform(5, 60) * DAY_MS)) if rng.random() < 0.5 else None  # noqa: PLR2004
        is_line = number % 8 == 0
        equipment = rng.choice(office.world.lines if is_line else office.world.districts)
        items.append(list_item(office, equipment, Listing(determined, published, cleared), is_line=is_line))
    return items


def _timers(office: Office, told_at: int, begins_at: int, seconds: float) -> None:
    """Prepare idle stages that fall due one after the other while the live phase runs."""
    window = seconds - LAST_S
    count = max(len(IDLE), int(window * TIMERS_PER_SECOND))
    for number in range(count):
        due = begins_at + int((number + 0.5) * window / count * SECOND_MS)
        stage, days = IDLE[number % len(IDLE)]
        entered = due - days * DAY_MS
        accepted_at = at_work(entered - office.rng.randrange(12, 30) * DAY_MS)
        hurry_to(office, office.accept(accepted_at, is_hv=True), accepted_at, stage, entered)
    for number in range(count // 4):
        due = begins_at + int((number + 0.25) * window * 4 / count * SECOND_MS)
        for is_hv in (True, False):
            entered_at = half_way(due, 1 if is_hv else 0)
            if entered_at is not None and entered_at < told_at - TELLING_MS:
                app = office.accept(entered_at - SECOND_MS, is_hv=is_hv)
                office.enter(app, "ACCEPT", entered_at)


def half_way(due: int, limit: int) -> int | None:
    """Give the entry whose limit of workdays is half over at `due`, if there is one."""
    for back in range(8):
        day = local_day(due) - timedelta(days=back)
        entered = 2 * due - workday_deadline(end_of(day) - 1, limit)
        if local_day(entered) == day:
            return entered
    return None


class _LivePhase:
    """Acts spread over the live seconds, on what stands when history ends."""

    def __init__(  # noqa: PLR0913, PLR0917 - the stage and its props
        self, office: Office, history: list[Happening], apps: list[Application], items: list[Row], begins_at: int,
        seconds: float,
    ) -> None:  # fmt: skip
        self._office, self._begins_at, self._seconds = office, begins_at, seconds
        rows = {(h.table, h.key): h.row for h in history}
        self._running = [app for app in (_as_of(app, rows) for app in apps) if app is not None and app.visits]
        known = {row["nl_no"]: row for (table, _), row in rows.items() if table.startswith("lean.lean_neg")}
        self._items = [dict(known[item["nl_no"]]) for item in items if item["nl_no"] in known]
        office.rng.shuffle(self._running)

    def play(self) -> None:
        """Write what happens live."""
        count = int((self._seconds - FIRST_S - LAST_S) * LIVE_PER_SECOND)
        acts = self._acts()
        for number in range(count):
            wait_s = FIRST_S + (number + JITTER * self._office.rng.random()) / LIVE_PER_SECOND
            next(acts)(self._begins_at + int(wait_s * SECOND_MS))

    def _acts(self) -> Iterator[Callable[[int], None]]:
        """Give acts without end: the ordinary ones, with the rarer ones between."""
        rare = (
            self._publish, self._apply_below, self._skip_ahead, self._publish_line, self._back_date, self._garble,
            self._apply_below, self._end_before_begin, self._clear, self._publish,
        )  # fmt: skip
        number = 0
        while True:
            yield self._advance
            yield rare[number % len(rare)]
            yield self._advance if number % 2 else self._apply
            number += 1

    def _advance(self, at: int) -> None:
        """Somebody finishes a stage; the next one begins."""
        app = self._next_open()
        if app is None:
            return
        visit, stages = app.visits[-1], stages_of(app)
        self._office.update(visit, at, finished_at=at - SECOND_MS, result_code="ok")
        following = stages.index(str(visit["stage_code"])) + 1
        if following < len(stages):
            self._office.enter(app, stages[following], at - SECOND_MS, told_at=at + STEP_MS)
        else:
            self._office.archive(app, at + SECOND_MS // 2)

    def _apply(self, at: int) -> None:
        """Somebody applies."""
        app = self._office.accept(at, is_hv=self._office.rng.random() < HV_SHARE)
        self._office.enter(app, "ACCEPT", at, told_at=at + STEP_MS)

    def _apply_below(self, at: int) -> None:
        """Somebody applies under a transformer that is on the list."""
        listed = {
            item["tg_no"] for item in self._items if item["published_at"] and not item["cleared_at"] and "tg_no" in item
        }
        below = [row for row in self._office.world.districts if row["tg_no"] in listed]
        if below:
            self._office.accept(at, is_hv=True, district=self._office.rng.choice(below))

    def _skip_ahead(self, at: int) -> None:
        """Somebody connects works that nobody has accepted yet."""
        app = self._next_open(stage="COMPLETE")
        if app is not None:
            self._office.enter(app, "CONNECT", at - SECOND_MS, told_at=at)

    def _back_date(self, at: int) -> None:
        """Somebody enters today the survey that began two weeks ago."""
        app = self._office.accept(at - SECOND_MS, is_hv=True)
        self._office.enter(app, "SURVEY", at_work(at - 15 * DAY_MS), told_at=at)

    def _end_before_begin(self, at: int) -> None:
        """Somebody types an end before the beginning."""
        app = self._next_open()
        if app is not None:
            entered = app.visits[-1]["entered_at"]
            assert isinstance(entered, int)  # noqa: S101 - `Office.enter` wrote it
            self._office.update(app.visits[-1], at, finished_at=entered - HOUR_MS, result_code="ok")

    def _publish(self, at: int) -> None:
        """A transformer above running applications is determined and published within the second."""
        app = self._next_open()
        listed = {item.get("tg_no") for item in self._items}
        tg = next((row for row in self._office.world.districts if app and row["tg_no"] == app.row["tg_no"]), None)
        if tg is not None and tg["tg_no"] not in listed:
            self._put_on_list(tg, at, is_line=False)

    def _publish_line(self, at: int) -> None:
        """A whole line is published: one message to each manager below it."""
        listed = {item.get("line_no") for item in self._items}
        free = [row for row in self._office.world.lines if row["line_no"] not in listed]
        if free:
            self._put_on_list(free[0], at, is_line=True)

    def _put_on_list(self, equipment: Row, at: int, *, is_line: bool) -> None:
        item = self._office.determine(at - SECOND_MS - 1, equipment, days=40, is_line=is_line)
        self._office.publish(item, at + STEP_MS)
        self._items.append(item)

    def _clear(self, at: int) -> None:
        """An item is taken off the list; those who waited may go on."""
        item = next((i for i in self._items if i["published_at"] and not i["cleared_at"]), None)
        if item is not None:
            self._office.clear(item, at)

    def _garble(self, at: int) -> None:
        """Something arrives that nobody can read."""
        if self._running:
            self._office.garble(at, self._running[0], self._office.rng.choice(GARBAGE))

    def _next_open(self, stage: str | None = None) -> Application | None:
        """Take the next application with an open stage; it is not taken twice."""
        for index, app in enumerate(self._running):
            if app.visits[-1]["finished_at"] is None and stage in {None, app.visits[-1]["stage_code"]}:
                return self._running.pop(index)
        return None


def _as_of(app: Application, rows: dict[tuple[str, tuple[str, ...]], Row]) -> Application | None:
    """Give an application as it stood when history ended; None if it was over or not there yet."""
    row = rows.get(("mkt.mkt_app", (app.no,)))
    if row is None or row["archived_at"] is not None:
        return None
    keys = (("mkt.mkt_app_progress", (str(visit["progress_id"]),)) for visit in app.visits)
    return Application(dict(row), [dict(rows[key]) for key in keys if key in rows])
