"""Which message a delivery report is about, however it comes: early, late, twice, over another connection. Pure.

A message is delivered once all its parts are, and failed as soon as one is. Reports whose part is not known yet wait:
they may come before the answer that names it. The outbox keeps the ids; after a restart it tells them again
(`expect`), and this begins where it was.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from sinks.sink import Delivered, Outcome, Refused, RetryAfter
from sinks.sms.channel import Delivery, DeliveryReport, Fate, LateAnswer, Submission

KEEP_MS = 72 * 3_600_000
"""Carriers report for up to 48 hours (CMPP 8.4.5.1), and hold messages for up to 72."""
_WITHIN_MS = 120_000
"""A report's submission time is precise to the minute, and two clocks are never equal."""
_MOST_ORPHANS = 200_000  # reports that nobody waits for: 100 MB; more is somebody else's traffic


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What the reports say about a message, in the words of the outbox."""

    msg_id: str
    outcome: Outcome


class _Message(msgspec.Struct, kw_only=True):
    mobile: str
    total: int
    at: int
    ids: dict[int, str] = {}
    """Of the parts whose id is known."""
    said: dict[int, DeliveryReport] = {}
    """Final reports by part."""
    is_settled: bool = False
    unsent: set[int] = set()
    """Parts that the carrier says, late, that it has not taken."""
    past: set[str] = set()
    """Ids of its earlier sendings: what is reported on them again is not about this one."""

    def nameless(self) -> list[int]:
        """The parts that were not answered and on which nothing was said."""
        return [number for number in range(1, self.total + 1) if number not in self.ids]


class Reports:
    """The messages of one carrier that wait for reports. `now` is epoch ms everywhere."""

    def __init__(self) -> None:
        self._messages: OrderedDict[str, _Message] = OrderedDict()
        self._owners: dict[str, tuple[str, int]] = {}
        self._orphans: OrderedDict[str, tuple[int, DeliveryReport]] = OrderedDict()
        self._under_way: Counter[str] = Counter()
        self._nameless: dict[str, set[str]] = {}  # messages with unanswered parts, by mobile

    def __len__(self) -> int:
        """The messages that are remembered."""
        return len(self._messages)

    def overdue(self, before: int) -> int:
        """Count the messages of before a time that are still waited for; may be asked from another thread."""
        return sum(each.at < before and not each.is_settled for each in list(self._messages.values()))

    def begin(self, mobile: str) -> None:
        """Note that a submission to this number begins: a report may be about it before its answer is here."""
        self._under_way[mobile] += 1

    def submitted(self, msg_id: str, mobile: str, submission: Submission, now: int) -> list[Settled]:
        """Note what a submission that had begun said; gives what is settled, for reports may have come before.

        Every `begin` needs one, also that of a submission that was cut off: its parts are then unknown.
        """
        self._under_way[mobile] -= 1
        if not self._under_way[mobile]:
            del self._under_way[mobile]
        if submission.fate in {Fate.REFUSED, Fate.UNSENT}:
            return self._look_again(mobile)
        return self.expect(msg_id, mobile, submission.carrier_ids, now)

    def expect(self, msg_id: str, mobile: str, ids: Sequence[str], now: int) -> list[Settled]:
        """Wait for reports on a message; `ids` by part, empty where not known. For a message of before a restart."""
        before = self._messages.get(msg_id)
        past = set[str]() if before is None else (before.past | set(before.ids.values())) - set(ids)
        message = self._messages[msg_id] = _Message(mobile=mobile, total=len(ids), at=now, past=past)
        for number, carrier_id in enumerate(ids, 1):
            if carrier_id:
                self._own(msg_id, number, carrier_id)
        if message.nameless():
            self._nameless.setdefault(mobile, set()).add(msg_id)
        if (early := self._orphans.pop(msg_id, None)) is not None:
            return [*self._reported_whole(early[1]), *self._look_again(mobile)]
        return [*self._settle(msg_id), *self._look_again(mobile)]

    def answered(self, late: LateAnswer) -> list[Settled]:
        """Note an answer that came after its part had been called unknown."""
        message = self._messages.get(late.msg_id)
        if message is None:
            return []
        if late.part.fate is Fate.UNSENT and not self._under_way[message.mobile]:
            return self._not_taken(late, message)
        if not late.part.carrier_id:
            return []
        self._own(late.msg_id, late.part.number, late.part.carrier_id)
        return self._settle(late.msg_id)

    def _not_taken(self, late: LateAnswer, message: _Message) -> list[Settled]:
        """Let a message be tried again of which no part was taken; of one that left in part nobody knows."""
        message.unsent.add(late.part.number)
        if message.is_settled or message.said or len(message.unsent) < message.total:
            return []
        return [Settled(msg_id=late.msg_id, outcome=RetryAfter(late.part.wish_s, late.part.reason))]

    def is_early(self, report: DeliveryReport) -> bool:
        """Tell whether it may be about a submission that is under way; its answer will say."""
        is_known = report.msg_id in self._messages or report.carrier_id in self._owners
        return report.delivery is not Delivery.PENDING and not is_known and self.is_under_way(report.mobile)

    def is_under_way(self, mobile: str) -> bool:
        """Tell whether a submission to this number is not answered yet."""
        return self._under_way[mobile] > 0

    def again(self, report: DeliveryReport) -> list[Settled]:
        """Give what is settled already once more, for a report that comes again: the first may not be durable yet."""
        owner = self._owners.get(report.carrier_id, (report.msg_id, 0))[0]
        if self._is_past(report):
            return []
        if report.delivery is Delivery.PENDING or owner not in self._messages or not self._messages[owner].is_settled:
            return []
        return [self._said_of(owner)]

    def reported(self, report: DeliveryReport, now: int) -> list[Settled]:
        """Note a report; gives the message that it settles, each message once."""
        if report.delivery is Delivery.PENDING or self._is_past(report):
            return []
        if report.msg_id in self._messages:
            return self._reported_whole(report)
        owner = self._owners.get(report.carrier_id) or self._guess(report)
        if owner is None:
            self._orphans.setdefault(report.msg_id or report.carrier_id, (now, report))
            if len(self._orphans) > _MOST_ORPHANS:
                self._orphans.popitem(last=False)
            return []
        self._say(*owner, report)
        return self._settle(owner[0])

    def _is_past(self, report: DeliveryReport) -> bool:
        """Tell whether a report is about an earlier sending of a message, which was answered when it came first."""
        owner = self._messages.get(self._owners.get(report.carrier_id, ("", 0))[0])
        return owner is not None and report.carrier_id in owner.past

    def _reported_whole(self, report: DeliveryReport) -> list[Settled]:
        """Note a report that names the message by our own id: on all its parts."""
        message = self._messages[report.msg_id]
        self._named(report.msg_id, message.mobile)
        for number in range(1, message.total + 1):
            self._say(report.msg_id, number, report)
        return self._settle(report.msg_id)

    def expire(self, now: int) -> int:
        """Forget what was kept long enough; how many messages and reports."""
        before = len(self._messages) + len(self._orphans)
        while self._messages and next(iter(self._messages.values())).at <= now - KEEP_MS:
            msg_id, message = self._messages.popitem(last=False)
            self._named(msg_id, message.mobile)
            for carrier_id in (*message.ids.values(), *message.past):
                self._owners.pop(carrier_id, None)
        while self._orphans and next(iter(self._orphans.values()))[0] <= now - KEEP_MS:
            self._orphans.popitem(last=False)
        return before - len(self._messages) - len(self._orphans)

    def _own(self, msg_id: str, number: int, carrier_id: str) -> None:
        message = self._messages[msg_id]
        message.ids[number] = carrier_id
        self._owners[carrier_id] = (msg_id, number)
        if not message.nameless():
            self._named(msg_id, message.mobile)
        if (orphan := self._orphans.pop(carrier_id, None)) is not None:
            self._say(msg_id, number, orphan[1])

    def _named(self, msg_id: str, mobile: str) -> None:
        waiting = self._nameless.get(mobile, set())
        waiting.discard(msg_id)
        if not waiting:
            self._nameless.pop(mobile, None)

    def _say(self, msg_id: str, number: int, report: DeliveryReport) -> None:
        self._messages[msg_id].said.setdefault(number, report)  # of two the first counts

    def _guess(self, report: DeliveryReport) -> tuple[str, int] | None:
        """The part that it must be about: the only message to this number, in its minute, with an unanswered part.

        All that ever settles an unknown part where only the answer tells the id. While a submission to the number
        is under way there is no certainty.
        """
        if report.submitted_at is None or self._under_way[report.mobile]:
            return None
        near = [
            msg_id
            for msg_id in self._nameless.get(report.mobile, ())
            if abs(self._messages[msg_id].at - report.submitted_at) <= _WITHIN_MS
        ]
        if len(near) != 1:
            return None
        number = self._messages[near[0]].nameless()[0]
        self._own(near[0], number, report.carrier_id)
        return near[0], number

    def _look_again(self, mobile: str) -> list[Settled]:
        """Guess for reports that came while a submission was under way. Seldom: only if an answer is missing."""
        if mobile not in self._nameless:
            return []
        found: list[Settled] = []
        for report in [each for _at, each in self._orphans.values() if each.mobile == mobile]:
            if (owner := self._guess(report)) is not None:  # which takes it out of the orphans
                found += self._settle(owner[0])
        return found

    def _settle(self, msg_id: str) -> list[Settled]:
        """The message, if this decided it: one part failed, or all arrived."""
        message = self._messages[msg_id]
        failed = next((each for each in message.said.values() if each.delivery is not Delivery.DELIVERED), None)
        if message.is_settled or (failed is None and len(message.said) < message.total):
            return []
        message.is_settled = True
        return [self._said_of(msg_id)]

    def _said_of(self, msg_id: str) -> Settled:
        """Put what was said of a settled message into the words of the outbox."""
        message = self._messages[msg_id]
        failed = next((each for each in message.said.values() if each.delivery is not Delivery.DELIVERED), None)
        if failed is not None:
            return Settled(msg_id=msg_id, outcome=Refused(f"delivery report: {failed.stat}"))
        names = (message.ids.get(number, "") for number in range(1, message.total + 1))
        return Settled(msg_id=msg_id, outcome=Delivered(",".join(names).strip(",")))
