"""Whatever happens in whatever order: nobody is told twice, and nothing is lost without a word.

The world of the machine: a changelog that survives a crash, a notices topic that is read again from the
last commit, and peers that take a message, refuse it, are busy, or take it and die. A crash may come
between any two of the steps (mark, commit, send, answer, settle, commit), and in the middle of a commit:
the embedded broker has no transactions.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.notice import Channel, Notice
from sinks import (
    OPEN_STATES,
    Delivered,
    Delivery,
    Holding,
    Outbox,
    OutboxPolicy,
    Outcome,
    Refused,
    RetryAfter,
    Standing,
    State,
    Unknown,
)
from tests.helpers.loops import alert
from tests.helpers.notices import NOW, notice

CHANNELS: tuple[Channel, ...] = ("sms", "mail")
NEVER_SENT = {State.NO_CHANNEL, State.UNROUTABLE, State.MUTED, State.CANCELLED}
HOUR, DAY = 3_600_000, 86_400_000
answers = st.sampled_from(["delivered", "refused", "busy", "lost before", "lost after", "crash before", "crash after"])


def pool() -> list[Notice]:
    single = [notice(f"s{number}", channel="sms") for number in range(4)]
    grouped = [notice(f"g{number}", channel="sms", group="item", group_text="{count}：{list}") for number in range(3)]
    mails = [notice(f"m{number}", channel="mail") for number in range(4)]
    return [*single, *grouped, *mails, notice("o", channel="online"), notice("n", channel="none")]


class EveryOtherHour:
    """Quiet hours that a test meets often."""

    def open_at(self, at: int) -> int:
        return at if at // HOUR % 2 else (at // HOUR + 1) * HOUR

    def tomorrow(self, at: int) -> int:
        return (at // DAY + 1) * DAY + HOUR

    def day(self, at: int) -> str:
        return str(at // DAY)


HOLDINGS = {
    "nothing": None,
    "quiet hours": Holding(hours=EveryOtherHour()),
    "cap": Holding(hours=EveryOtherHour(), is_quiet_kept=False, daily_cap=1),
    "both": Holding(hours=EveryOtherHour(), daily_cap=2),
}


class Life(RuleBasedStateMachine):
    """One partition's outbox through crashes; `taken` is what its peers really have."""

    @initialize(
        idempotent=st.frozensets(st.sampled_from(CHANNELS)),
        holding=st.sampled_from(sorted(HOLDINGS)),
        gather_s=st.sampled_from([0, 60]),
    )
    def begin(self, idempotent: frozenset[Channel], holding: str, gather_s: int) -> None:
        self.policy = OutboxPolicy(
            channels=frozenset(CHANNELS), idempotent=idempotent, mail_digest_s=30, mail_digest_max=3, max_attempts=4,
            gather_s=gather_s, holding=HOLDINGS[holding],
        )  # fmt: skip
        self.standing = Standing()
        self.now = NOW
        self.changelog: dict[str, bytes] = {}
        self.offered: set[str] = set()
        self.uncommitted: list[Notice] = []
        self.taken: Counter[str] = Counter()
        self.seen_ids: dict[str, set[str]] = {}
        self.outbox = Outbox(self.policy, standing=self.standing)

    def commit(self) -> None:
        for key, data in self.outbox.take_changes():
            if data is None:
                self.changelog.pop(key, None)
            else:
                self.changelog[key] = data
        self.uncommitted.clear()

    def crash(self, written: int = 0) -> None:
        """Die; of the changes on their way to the changelog the first `written` got there."""
        for key, data in self.outbox.take_changes()[:written]:
            if data is not None:
                self.changelog[key] = data
        self.outbox = Outbox(self.policy, standing=self.standing)
        for key, data in self.changelog.items():
            self.outbox.load(key, data)
        self.outbox.recover(self.now)
        for each in list(self.uncommitted):  # the topic is read again from the last commit
            self.outbox.add(each, self.now)

    @rule(which=st.lists(st.sampled_from(pool()), max_size=6), is_committed=st.booleans())
    def offer(self, *, which: list[Notice], is_committed: bool) -> None:
        for each in which:
            self.outbox.add(each, self.now)
            self.offered.add(each.key)
            self.uncommitted.append(each)
        if is_committed:
            self.commit()

    @rule(which=st.sampled_from(pool()), is_told=st.booleans())
    def end(self, *, which: Notice, is_told: bool) -> None:
        """An alert ends; the outbox may hear of it at once, or find out."""
        self.standing.note(alert(which.alert_id, "closed"), self.now)
        if is_told:
            self.outbox.cancel(which.alert_id, self.now)

    @rule(ms=st.integers(0, HOUR))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(written=st.integers(0, 5))
    def die(self, written: int) -> None:
        self.crash(written)

    @rule(script=st.lists(answers, min_size=1, max_size=5), room=st.integers(0, 3), dies=st.none() | st.integers(0, 5))
    def pump(self, script: list[str], room: int, dies: int | None) -> None:
        deliveries = self.outbox.due(self.now, dict.fromkeys(CHANNELS, room))
        if dies is not None:
            self.crash(dies)
            return
        self.commit()
        for number, delivery in enumerate(deliveries):
            answer = script[number % len(script)]
            if answer == "crash before":
                self.crash()
                return
            outcome = self.send(delivery, answer)
            if answer == "crash after":
                self.crash()
                return
            self.outbox.settle(delivery, outcome, self.now)
        self.commit()

    @rule(data=st.data(), answer=st.sampled_from([Delivered("r"), Refused("UNDELIV")]))
    def report(self, data: st.DataObject, answer: Outcome) -> None:
        if not self.seen_ids:
            return
        msg_id = data.draw(st.sampled_from(sorted({one for ids in self.seen_ids.values() for one in ids})))
        self.outbox.report(msg_id, answer, self.now)

    def send(self, delivery: Delivery, answer: str) -> Outcome:
        """The peer: one that drops repeats of a `msg_id` where the policy says that it does."""
        for each in delivery.notices:
            ids = self.seen_ids.setdefault(each.key, set())
            is_repeat = delivery.msg_id in ids and each.channel in self.policy.idempotent and self.taken[each.key] > 0
            ids.add(delivery.msg_id)
            if answer in {"delivered", "lost after", "crash after"} and not is_repeat:
                self.taken[each.key] += 1
        match answer:
            case "delivered":
                return Delivered("receipt")
            case "refused":
                return Refused("no")
            case "busy":
                return RetryAfter(3, "busy")
            case _:
                return Unknown("silence")

    @invariant()
    def nobody_is_told_twice(self) -> None:
        assert not [key for key, count in getattr(self, "taken", Counter()).items() if count > 1]

    @invariant()
    def a_notice_never_changes_its_message(self) -> None:
        assert not [key for key, ids in getattr(self, "seen_ids", {}).items() if len(ids) > 1]

    @invariant()
    def every_notice_is_accounted_for(self) -> None:
        for key in getattr(self, "offered", ()):
            state = self.outbox.state_of(key)
            assert state is not None
            if state in {State.QUEUED, State.HELD, *NEVER_SENT}:
                assert self.taken[key] == 0

    def teardown(self) -> None:
        """Give everything time and good peers: nothing may hang, and what is final is true."""
        if not hasattr(self, "outbox"):
            return
        self.crash()
        for _ in range(200):
            next_due = self.outbox.next_due()
            if next_due is None:
                break
            self.now = max(self.now, next_due)
            self.pump_well()
        for key in self.offered:
            self.check_final(key)

    def pump_well(self) -> None:
        deliveries = self.outbox.due(self.now)
        assert deliveries or self.outbox.changes, "next_due promised something"
        self.commit()
        for delivery in deliveries:
            self.outbox.settle(delivery, self.send(delivery, "delivered"), self.now)
        self.commit()

    def check_final(self, key: str) -> None:
        state = self.outbox.state_of(key)
        assert state is not None
        assert state not in OPEN_STATES
        assert not (state is State.FAILED and self.taken[key] and not self.policy.idempotent)
        if state is State.DELIVERED and not key.endswith(":online"):
            row = self.outbox.notification(key)
            assert row is not None
            assert self.taken[key] == 1 or row.receipt == "r"  # the latter: a report said so


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
