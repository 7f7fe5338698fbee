"""A year of SMS in virtual time through the product's own outbox, routes, parts and reports: `bench sms --simulated N`.

What is counted is on two sides: where the outbox says each notice stands, and what the phones have. The worker dies
now and then, before or after its commit, or in the midst of sending, and another one goes on from the changelog with
notices that come again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from bench.expectation import WorkLost
from bench.report import Goal, Report, machine
from bench.sms_memory import CARRIERS, Network
from schemas.notice import Notice, Recipient
from sinks import Carrier, CarrierBook, Outbox, OutboxPolicy, Pipeline, Senders, SmsRoutes, State
from sinks.store import NotificationRow
from stagewatch import Advance

BEGIN_MS, YEAR_MS = 1_772_294_400_000, 365 * 86_400_000
"""From March 2026."""
STEP_MS = 6 * 3_600_000
BUNCH = 160
"""Notices that come at once: five seconds of the busiest hour (32 SMS/s)."""
MANAGERS = 5_000
GROUPED, LONG = 20, 10
"""Each so many-th notice is one of a group that becomes one message; each so many-th text takes two parts."""
LIVES = 25
"""Workers one after another in a year: one dies about every two weeks."""
GOALS: dict[str, Goal] = {"lost": ("<=", 0), "twice": ("<=", 0), "claimed": (">=", 0)}
_FINISH_S = 60.0
_SETTLED = frozenset({State.DELIVERED, State.REFUSED, State.UNKNOWN, State.FAILED})
_STATES = list(State)
_TEXT = "【业扩管控】申请{number:08}的供电方案答复环节将于明日到期，请尽快处理，回复1#4827签收。"
_MORE = (
    "该客户为高压新装，上级电源为110千伏变电站，所接线路在受限清单内，请同时核对负面清单整改计划并反馈预计完成日期。"
)


class Death(StrEnum):
    """When a worker dies."""

    BEFORE_COMMIT = "before the commit of what it marked"
    AFTER_COMMIT = "after that commit, before anything left"
    SENDING = "in the midst of sending"


def live_a_year(events: int, progress: Advance, *, policy: OutboxPolicy | None = None, seed: int = 1) -> Report:
    """Live through a year of so many notices. Raises WorkLost if one was lost, told twice or not settled."""
    about, began, cpu = machine(), time.perf_counter(), time.process_time()
    year = Year(events, policy or OutboxPolicy(channels=frozenset({"sms"})), seed=seed)
    asyncio.run(year.live(progress))
    figures = figures_of(year)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    figures |= {"simulated_seconds": seconds, "cpu_us_per_notice": cpu_s / events * 1e6}
    return Report(name="sms", figures=figures, goals=GOALS | {"claimed": (">=", events)}, machine=about)


class Year:
    """The notices of a year, the carriers, and one worker after another."""

    def __init__(self, events: int, policy: OutboxPolicy, *, seed: int) -> None:
        self.events, self._policy = events, policy
        self.network = Network(events, BEGIN_MS, seed=seed)
        self.stands = bytearray(events)
        """The state of each notice as the store was told of it last, counted from 1; 0: never heard of."""
        self.deaths: Counter[Death] = Counter()
        self._changelog: dict[str, bytes] = {}
        self._people = [_person(number) for number in range(MANAGERS)]
        self._bunches = range(0, events, BUNCH)
        self._pipeline: Pipeline
        self._outbox: Outbox
        self._routes: SmsRoutes

    async def live(self, progress: Advance) -> None:
        """Take in every notice, and wait until no more is to be done or to be reported."""
        self._begin()
        dying = set(self._bunches[:: max(len(self._bunches) // LIVES, 1)][1:LIVES])
        for first in self._bunches:
            now = BEGIN_MS + first * YEAR_MS // self.events
            await self._live_on(now)
            notices = self._notices(range(first, min(first + BUNCH, self.events)), now)
            self._pipeline.offer(notices, now)
            if first in dying:
                await self._die(now)
                self._pipeline.offer(notices, now)  # their position may not have been committed
            await self._work(now)
            progress(first)
        while self.network.reports_left or self._outbox.next_due() is not None:
            await self._live_on(self.network.now + STEP_MS)
        await self._end()

    def _begin(self) -> None:
        book = CarrierBook({str(prefix): Carrier(name) for name, prefix in CARRIERS.items()})
        self._routes = SmsRoutes(self.network.connect(), book, now=lambda: self.network.now / 1000)
        self._routes.open()
        senders = Senders({"sms": self._routes})
        self._outbox = Outbox(self._policy, lane_of=senders.lane_of)
        for key, row in self._changelog.items():
            self._outbox.load(key, row)
        self._pipeline = Pipeline(self._outbox, senders, record=self._record)
        self._pipeline.recover(self.network.now)

    def _record(self, rows: Sequence[NotificationRow]) -> None:
        for row in rows:
            self.stands[int(row.instance)] = 1 + _STATES.index(State(row.state))

    async def _live_on(self, now: int) -> None:
        """Let the time come to `now`, in steps short enough for reports to be heard in time."""
        while self.network.now < now:
            self.network.pass_time(min(now, self.network.now + STEP_MS))
            await asyncio.sleep(0)
            await self._work(self.network.now)

    async def _work(self, now: int) -> None:
        """Turn, commit and send until nothing is left to do at this time."""
        while self._pipeline.is_due(now) or self._outbox.changes:
            self._pipeline.turn(now)
            self._commit()
            self._pipeline.committed()
            await self._pipeline.finish(_FINISH_S)
            await asyncio.sleep(0)  # for late answers

    def _commit(self) -> None:
        for key, row in self._pipeline.take():
            if row is None:
                self._changelog.pop(key, None)
            else:
                self._changelog[key] = row

    async def _die(self, now: int) -> None:
        death = self.network.rng.choice(list(Death))
        self.deaths[death] += 1
        self._pipeline.turn(now)
        if death is not Death.BEFORE_COMMIT:
            self._commit()
        if death is Death.SENDING:
            self.network.dies_sending = True
            self._pipeline.committed()
            await asyncio.sleep(0)
        await self._end()
        self._begin()

    async def _end(self) -> None:
        self._pipeline.close()
        await self._routes.close()

    def _notices(self, numbers: range, now: int) -> list[Notice]:
        return [self._notice(number, now) for number in numbers]

    def _notice(self, number: int, now: int) -> Notice:
        is_grouped = number % GROUPED < 2  # noqa: PLR2004 - two neighbours, of one person below
        text = _TEXT.format(number=number) + (_MORE if number % LONG == LONG - 1 else "")
        return Notice(
            alert_id=f"a{number:08}", rule="R-T04", severity="WARN", process="hv_connection",
            instance=f"{number:08}", org_no="33401", channel="sms", text=text, at=now, due_at=now + 86_400_000,
            recipient=self._people[(number - number % 2 * is_grouped) * 7919 % MANAGERS],
            group=f"R-N04:{number // 2:08}" if is_grouped else None,
            group_text="【业扩管控】{count}户在途申请受限：{list}，请核对。" if is_grouped else None,
        )  # fmt: skip


def figures_of(year: Year) -> dict[str, float]:
    """Hold the two sides against each other. Raises WorkLost."""
    network = year.network
    states = {state: year.stands.count(1 + at) for at, state in enumerate(_STATES)}
    claimed = year.events - year.stands.count(0)
    settled = sum(states[state] for state in _SETTLED)
    twice = sum(times > 1 for times in network.got)
    told = {1 + _STATES.index(State.DELIVERED)}
    lost = sum(stand in told and not got for stand, got in zip(year.stands, network.got, strict=True))
    if (claimed, settled, twice, lost) != (year.events, claimed, 0, 0):
        raise WorkLost(
            f"of {year.events} notices {claimed} were claimed and {settled} settled; {twice} reached a phone more "
            f"than once, {lost} never, though they count as delivered"
        )
    counts = {f"{state}": float(states[state]) for state in sorted(_SETTLED)}
    faults = {f"luck_{luck.replace(' ', '_')}": float(count) for luck, count in sorted(network.drawn.items())}
    return {
        "claimed": float(claimed), **counts, "lost": 0.0, "twice": 0.0, "messages": float(network.messages),
        "parts": float(network.parts), "not_this_carriers": float(network.foreign),
        "deaths": float(year.deaths.total()), **faults,
    }  # fmt: skip


def _person(number: int) -> Recipient:
    prefix = list(CARRIERS.values())[number % len(CARRIERS)]
    return Recipient(no=f"M{number:04}", name=f"经理{number}", mobile=f"{prefix}{number:08}")
