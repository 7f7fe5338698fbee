"""What a benchmark's records are about: so many applications under way, a negative list, and what happens to them.

Seeded: the same `Plan` gives the same happenings, so that the records that go to Kafka can be judged again
without it. As many applications begin as end: whatever the number of events, as many are open.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import chain, islice

import msgspec

from bench.connector import BY_ROW, Connector, Layout
from bench.lives import DAY_MS, HOUR_MS, MEAN_LIFE_DAYS, Neighbourhood, list_item, open_life, whole_life
from bench.rows import District, Happening, ListItem, Responsible, iso
from schemas import Recorded

START_MS = 1_767_574_800_000
"""2026-01-05T09:00+08:00, a Monday: all of it lies in a year whose workdays are published."""
EVENTS_PER_INSTANCE = 10
LIVES_PER_ITEM = 400


class Plan(msgspec.Struct, frozen=True):
    """What to generate; everything follows from it."""

    events: int
    instances: int = 0
    """Applications that are open at any time; 0: a tenth of the events."""
    seed: int = 7

    @property
    def open_lives(self) -> int:
        """Applications under way at the beginning."""
        return max(self.instances or self.events // EVENTS_PER_INSTANCE, 20)

    @property
    def districts(self) -> int:
        """Transformer districts: some thirty applications each."""
        return min(max(self.open_lives // 30, 40), 20_000)

    @property
    def backlog(self) -> int:
        """Records that tell what was there at the beginning: reference rows, applications and their open stages."""
        return 2 * (self.districts + self.open_lives)


def records(plan: Plan, layout: Layout = BY_ROW) -> Iterator[Recorded]:
    """Give the plan's records in order of arrival, exactly `plan.events` of them."""
    return map(Connector(layout).record, happenings(plan))


def happenings(plan: Plan) -> Iterator[Happening]:
    """Give what happens, in order of arrival: what was there before, then lives and list items side by side."""
    rng = random.Random(plan.seed)
    under_way = [
        open_life(
            rng, number, Neighbourhood(rng.randrange(plan.districts)),
            START_MS - HOUR_MS + number * HOUR_MS // plan.open_lives, START_MS,
        )
        for number in range(plan.open_lives)
    ]  # fmt: skip
    return islice(chain(_references(plan), _snapshot(under_way), _side_by_side(plan, rng, under_way)), plan.events)


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


def _snapshot(under_way: list[Iterator[Happening]]) -> Iterator[Happening]:
    for life in under_way:
        yield from islice(life, 2)


def _side_by_side(plan: Plan, rng: random.Random, under_way: list[Iterator[Happening]]) -> Iterator[Happening]:
    """Merge all lives by time; a life is begun when its time has come."""
    spacing = MEAN_LIFE_DAYS * DAY_MS / plan.open_lives
    lives: list[tuple[int, int, Happening, Iterator[Happening]]] = []
    for number, life in enumerate(under_way):
        first = next(life)
        heappush(lives, (first.at, 2 * number, first, life))
    begun = 0
    while True:
        at = START_MS + int(begun * spacing)
        while at <= lives[0][0]:
            for life in _begin(plan, rng, begun, at):
                first = next(life)
                number = 2 * (plan.open_lives + begun) + isinstance(first.row, ListItem)
                heappush(lives, (first.at, number, first, life))
            begun += 1
            at = START_MS + int(begun * spacing)
        _, number, happening, life = heappop(lives)
        yield happening
        following = next(life, None)
        if following is not None:
            heappush(lives, (following.at, number, following, life))


def _begin(plan: Plan, rng: random.Random, number: int, at: int) -> list[Iterator[Happening]]:
    place = Neighbourhood(rng.randrange(plan.districts))
    lives = [whole_life(rng, plan.open_lives + number, place, at)]
    if number % LIVES_PER_ITEM == LIVES_PER_ITEM // 2:
        lives.append(list_item(rng, number // LIVES_PER_ITEM, place, at))
    return lives
