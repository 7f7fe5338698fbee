"""A loop and the outbox that its messages go to, from ten at night on."""

import msgspec

from rules.loop import Loop
from schemas import Notice, Outcome
from sinks import Holding, Outbox, OutboxPolicy, Standing
from tests.helpers.loops import DAY, HOUR, MONDAY

EVENING, MORNING = MONDAY + 13 * HOUR, MONDAY + 23 * HOUR
"""Ten at night, and the next morning at eight."""


class OneNight:
    """Quiet from one evening to `opens`."""

    def __init__(self) -> None:
        self.opens = MORNING

    def open_at(self, at: int) -> int:
        return self.opens if EVENING <= at < self.opens else at

    def tomorrow(self, at: int) -> int:
        return at + DAY

    def day(self, at: int) -> str:
        return str(at // DAY)


class Evening:
    """What a loop wants told is held; `told` is what left in the end."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.hours, self.standing = loop, OneNight(), Standing()
        policy = OutboxPolicy(channels=frozenset({"sms"}), holding=Holding(hours=self.hours))
        self.outbox = Outbox(policy, standing=self.standing)
        self.told: list[Notice] = []

    def work(self, now: int) -> None:
        """Bring what the loop wants to the outbox, what became of it back, and send what may leave."""
        todo = self.loop.take_todo()
        for notice in todo.notices:
            mobile = f"1390000{sum(map(ord, notice.recipient.no)):04}"
            reachable = msgspec.structs.replace(notice.recipient, mobile=mobile)
            self.outbox.add(msgspec.structs.replace(notice, recipient=reachable), now)
        for wish in todo.withdrawn:
            self.outbox.instruct(wish, now)
        for key, _ in self.outbox.take_changes():
            row = self.outbox.told_task(key)
            if row is not None:
                to = row.notice.recipient.no
                self.loop.outcome(Outcome(number=row.notice.task, state=row.state, until=row.held_until, to=to), now)
        for delivery in self.outbox.due(now):
            self.told += delivery.notices

    def told_of(self, person: str) -> list[str]:
        return [notice.text for notice in self.told if notice.recipient.no == person]
