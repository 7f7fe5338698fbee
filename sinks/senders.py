"""Calls the sinks: at most so many messages at once per sink, none for longer than its time-out.

One for the whole worker, shared by the pipelines of all its partitions. A message is begun only when
there is room for it: one that waited after it was marked `sending` would become unknown in a crash.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from schemas.errors import TryLater
from schemas.notice import Channel, Notice
from sinks.delivery import Delivery
from sinks.report_mail import ReportMails
from sinks.routing import address_of
from sinks.short_text import MOST_PARTS
from sinks.sink import (
    Message,
    Outcome,
    OutcomeUnknown,
    Refused,
    Report,
    RetryAfter,
    Roads,
    Sink,
    Unknown,
)
from sinks.wording import compose

_log = logging.getLogger(__name__)
Listener = Callable[[Report], bool]
"""Takes a report on one of its messages; False: the message is none of its own."""
_FIGURES_S = 30.0
"""A store that takes longer for a few sums is in trouble; the mail is tried again."""
_GRACE_S = 1.0  # a sink ends by itself at its time-out, and knows more than we do about how


class Senders:
    """The sinks by channel, with the room that each has left."""

    def __init__(
        self, sinks: Mapping[Channel, Sink], *, concurrency: int = 16, zone: str = "Asia/Shanghai",
        reports: ReportMails | None = None, sms_parts: int = MOST_PARTS,
    ) -> None:  # fmt: skip
        """`concurrency`: messages on their way at once per sink. 16 × 10 a second is 5 times the peak we know.

        `zone`: in which mails show times. `reports`: puts figures into the mails that are to have some. `sms_parts`:
        most of an SMS that stands for several notices.
        """
        self._sinks = dict(sinks)
        self._concurrency = concurrency
        self._zone = ZoneInfo(zone)
        self._reports = reports
        self._sms_parts = sms_parts
        self._busy: dict[str, str] = {}  # lane by msg_id
        self._routed = {channel: sink for channel, sink in sinks.items() if isinstance(sink, Roads)}
        self._listeners: list[Listener] = []
        for routed in self._routed.values():
            routed.on_report = self._hear

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels that have a sink."""
        return frozenset(self._sinks)

    @property
    def reporting(self) -> frozenset[Channel]:
        """The channels on whose messages reports may come."""
        return frozenset(self._routed)

    def lane_of(self, notice: Notice) -> str:
        """What a notice waits in: its channel, or the road of it that its recipient's address takes."""
        routed = self._routed.get(notice.channel)
        if routed is None:
            return notice.channel
        return f"{notice.channel}:{routed.road_of(address_of(notice) or '')}"

    def room(self) -> dict[str, int]:
        """How many messages each lane can take now; none over a road that is down."""
        busy = Counter(self._busy.values())
        up: dict[str, bool] = {}
        for channel in self._sinks:
            routed = self._routed.get(channel)
            up |= {channel: True} if routed is None else {f"{channel}:{k}": v for k, v in routed.roads_up().items()}
        return {lane: self._concurrency - busy[lane] if is_up else 0 for lane, is_up in up.items()}

    def reserve(self, delivery: Delivery) -> None:
        """Take up room for a delivery, before anything is awaited; `send` or `release` gives it back."""
        self._busy[delivery.msg_id] = self.lane_of(delivery.notices[-1])

    def release(self, delivery: Delivery) -> None:
        """Give the room of a delivery back, because it was sent or will not be; may be called twice."""
        self._busy.pop(delivery.msg_id, None)

    def listen(self, listener: Listener) -> None:
        """Let a partition hear the reports on its messages, until `forget`."""
        self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Tell it nothing any more; may be called twice."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def expect(self, delivery: Delivery, receipt: str, at: int) -> None:
        """Wait for reports on a delivery of before a restart."""
        self._routed[delivery.channel].expect(self._compose(delivery), receipt, at)

    def _hear(self, report: Report) -> None:
        if not any(listener(report) for listener in self._listeners) and not report.is_shared:
            report.accept()  # nobody here waits for it: its row was forgotten, or is another worker's

    async def send(self, delivery: Delivery) -> Outcome:
        """Send a reserved delivery and say what became of it. Raises nothing but cancellation."""
        sink = self._sinks[delivery.channel]
        try:
            message = await self._composed(delivery)
            if not isinstance(message, Message):
                return message
            async with asyncio.timeout(sink.timeout_s + _GRACE_S):
                return await sink.send(message)
        except OutcomeUnknown as error:
            return Unknown(str(error))
        except TimeoutError:
            return Unknown(f"{sink.name} gave no result within {sink.timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - a border: a fault of one sink must not stop the others
            # No text, no traceback: both may show a phone number.
            _log.error("sink failed: sink=%s error=%s msg_id=%s", sink.name, type(error).__name__, delivery.msg_id)
            return Unknown(f"{sink.name} failed: {type(error).__name__}")
        finally:
            self.release(delivery)

    async def _composed(self, delivery: Delivery) -> Message | RetryAfter | Refused:
        """Make the message; why not now, or never, if its figures cannot be had. Nothing has left by then."""
        if all(notice.report is None for notice in delivery.notices):
            return self._compose(delivery)
        if self._reports is None:
            return Refused("reports are made from the store, and this worker has none")
        try:
            async with asyncio.timeout(_FIGURES_S):
                return await asyncio.to_thread(self._with_figures, self._reports, delivery)
        except TryLater as error:
            return RetryAfter(0, f"the figures cannot be had: {error}")
        except TimeoutError:
            return RetryAfter(0, "the figures cannot be had: the store is slow")

    def _with_figures(self, reports: ReportMails, delivery: Delivery) -> Message:
        if delivery.channel == "mail":
            return reports.fill(self._compose(delivery))
        return self._compose(reports.brief(delivery))

    def _compose(self, delivery: Delivery) -> Message:
        return compose(delivery, self._zone, most_parts=self._sms_parts)

    async def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks.values():
            await sink.close()
