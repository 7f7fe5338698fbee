"""Whether a notice may leave now: a pure decision over the notice, the policy, what is known, and the time.

The order of the questions is that of Alertmanager's pipeline: inhibited, silenced, then held by the hour or the daily
cap. What is held leaves with all else that waits for the same person, as one message, unless its alert ended before.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from schemas.codec import iso
from schemas.notice import Notice
from sinks.outbox_rows import Holding, Row
from sinks.standing import Standing

_WRITERS = ("reply:", "inbound:")
"""How the recipients of answers are numbered: by the message that they wrote."""
_SOON_MS = 1_000


class Hold(NamedTuple):
    """Not before `until` (epoch ms)."""

    until: int
    reason: str


def is_answer(notice: Notice) -> bool:
    """Tell whether it answers somebody's own message: they are awake, and have asked."""
    return notice.recipient.no.startswith(_WRITERS)


def muted(notice: Notice, standing: Standing, now: int, *, inhibits: bool) -> str:
    """Give why a notice is not told at all; "": it is."""
    if is_answer(notice):
        return ""
    if inhibits and notice.below:
        return f"inhibited: {notice.below} above it is constrained, too"
    silence = standing.silence_of(notice, now)
    if silence is None:
        return ""
    return f"silence {silence.id} of {silence.owner} until {iso(silence.until)}: {silence.reason}"


def held(notice: Notice, holding: Holding | None, now: int, *, sent_today: int = 0) -> Hold | None:
    """Give until when a notice waits; None: it may leave. `sent_today`: messages that the person has had."""
    if holding is None or passes(notice, holding):
        return None
    until = holding.hours.open_at(now) if holding.is_quiet_kept else now
    if until > now:
        return Hold(until, f"quiet hours until {iso(until)}")
    if holding.daily_cap and sent_today >= holding.daily_cap:
        until = max(holding.hours.tomorrow(now), now + _SOON_MS)
        return Hold(until, f"daily cap of {holding.daily_cap} messages, until {iso(until)}")
    return None


def passes(notice: Notice, holding: Holding) -> bool:
    """Tell whether nothing holds a notice: by its severity, its person, its channel, as an answer or a mailed report.

    A report leaves at a time that somebody chose; one that rings a telephone waits like any other message.
    """
    return (
        notice.channel not in holding.channels
        or notice.severity in holding.always
        or notice.recipient.no in holding.duty
        or is_answer(notice)
        or (notice.report is not None and notice.channel == "mail")
    )


class SentToday:
    """How many messages each person has had today, over each channel; counted anew from the rows on each day."""

    def __init__(self, holding: Holding | None) -> None:
        self._hours = holding.hours if holding is not None and holding.daily_cap else None
        self._day = ""
        self._counts: Counter[tuple[str, str]] = Counter()

    def of(self, notice: Notice, now: int, rows: Iterable[Row]) -> int:
        """Give the count of a notice's person and channel; 0 where nothing is capped."""
        if self._hours is None:
            return 0
        day = self._hours.day(now)
        if day != self._day:
            left = {(*_whose(row.notice), row.msg_id) for row in rows if row.left_at and self._is_on(row.left_at, day)}
            self._day, self._counts = day, Counter((person, channel) for person, channel, _ in left)
        return self._counts[_whose(notice)]

    def _is_on(self, at: int, day: str) -> bool:
        return self._hours is not None and self._hours.day(at) == day

    def add(self, notice: Notice) -> None:
        """A message to its person leaves; `of` was asked before."""
        self._counts[_whose(notice)] += 1


def _whose(notice: Notice) -> tuple[str, str]:
    return notice.recipient.no, notice.channel
