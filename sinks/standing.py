"""What is known beside the notices, and the same for every partition: silences, and which alerts have ended. Pure.

Fed from `stagewatch.silences` and `stagewatch.alerts`; what follows from it for a notice is decided in `holding`.
"""

from collections.abc import Callable
from itertools import takewhile

from schemas.alert import AlertEvent
from schemas.notice import Notice
from schemas.silence import Silence

FOR_EVER = 1 << 62
ENDS = frozenset({"cleared", "closed"})
_BEGINS = frozenset({"raised", "reopened"})


class Standing:
    """One for a worker. Times are epoch ms."""

    def __init__(self, known_at: int = FOR_EVER) -> None:
        self.silences: dict[str, Silence] = {}
        self._ended: dict[str, int] = {}
        self.known_at = known_at
        """All events of alerts that were there at this time are known; without a feed there is no more to know."""
        self.listeners: list[Callable[[str], None]] = []
        """Told the id of an alert that ended."""

    def put(self, silence: Silence) -> None:
        """Take a silence in; the last one of an id counts."""
        self.silences[silence.id] = silence

    def silence_of(self, notice: Notice, now: int) -> Silence | None:
        """Give the silence that covers a notice at `now`; of several the one that lasts longest."""
        found = [each for each in self.silences.values() if each.matches(notice, now)]
        return max(found, key=lambda each: (each.until, each.id), default=None)

    def note(self, event: AlertEvent, at: int) -> None:
        """An alert moved: it ended, or is there again."""
        if event.event in ENDS:
            self._ended[event.alert_id] = at
            for listener in self.listeners:
                listener(event.alert_id)
        elif event.event in _BEGINS:
            self._ended.pop(event.alert_id, None)

    def is_moot(self, notice: Notice, asked_at: int = 0) -> bool:
        """Tell whether what a notice is about is over, as far as is known.

        `asked_at`: where the news may be late; what was asked for after the end is about what came next.
        """
        ended_at = self._ended.get(notice.alert_id)
        return ended_at is not None and not notice.outlives and asked_at <= ended_at

    def forget(self, before: int) -> None:
        """Let go of what ended before a time; nothing is held for so long."""
        gone = takewhile(lambda item: item[1] < before, self._ended.items())  # they were put in nearly in order
        for alert_id in [alert_id for alert_id, _ in gone]:
            del self._ended[alert_id]
        self.silences = {name: each for name, each in self.silences.items() if each.until >= before}
