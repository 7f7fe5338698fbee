"""Records at a fixed rate, open loop, and the alerts as a reader sees them meanwhile.

Records go out when their time has come, whether or not the worker keeps up, and carry that scheduled time: a
stall counts for every record that was due in it (no coordinated omission). Two ends are taken: when the broker
appended the alert, and when a read-committed reader had it in hand, which no user can beat.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from queue import Empty
from typing import Any, NamedTuple

from bench.broker import UNLIMITED, Broker
from bench.feed import Feed
from schemas import Recorded, StagewatchError, decode_alert
from stagewatch import Advance, TopicTail

ALERTS = "stagewatch.alerts"
QUIET_S = 5.0
"""No alert for so long after the last record: none comes any more."""
WAIT_S = 120.0
"""Longest wait for alerts after the last record went out; a worker that queues for longer has failed."""
TURN_S = 0.005
"""How often the producer sends what has come due; a source's own batches are no finer."""
LEAD_MS_PER_RECORD = 0.03
"""Records are made before they are due: making them must not take the worker's CPU while it is measured."""


class Seen(NamedTuple):
    """An alert event as the reader had it."""

    source: tuple[str, int, int]
    """The record that raised it: the first of its evidence."""
    rule: str
    instance: str
    raised_at: int
    """Epoch ms; of a timer, when it was due."""
    appended: int
    """LogAppendTime, epoch ms."""
    received: float
    """Epoch ms."""


def make_alert_topic(broker: Broker, partitions: int) -> None:
    """Make the alert topic before a worker does, so that the broker's clock stamps it."""
    broker.make_topics({ALERTS: partitions}, {**UNLIMITED, "message.timestamp.type": "LogAppendTime"})


class Watch:
    """A reader of the alert topic in a process of its own: it must not hold up who sends, nor be held up."""

    def __init__(self, answer: Any, is_over: Event) -> None:  # noqa: ANN401 - multiprocessing's queue
        self._answer, self._is_over = answer, is_over

    def finish(self) -> list[Seen]:
        """Wait until no more alerts come; give all that came. Raises StagewatchError if they never end."""
        self._is_over.set()
        seen: list[Seen] = _take(self._answer)
        return seen


@contextmanager
def watching(bootstrap: str, quiet_s: float = QUIET_S) -> Iterator[Watch]:
    """Read the alert topic from now on; it is at its end when nothing has come for so long."""
    context = get_context("spawn")
    is_over, answer = context.Event(), context.Queue()
    reader = context.Process(target=_read, args=(bootstrap, is_over, answer, quiet_s), daemon=True)
    reader.start()
    try:
        _take(answer)
        yield Watch(answer, is_over)
    finally:
        reader.kill()


def start_of(records: int) -> int:
    """Give a time to come at which so many records, made from now on, are ready to be sent; epoch ms."""
    return int(time.time() * 1000 + 500 + records * LEAD_MS_PER_RECORD)


def send(bootstrap: str, records: Iterable[Recorded], progress: Advance) -> None:
    """Send each record as soon as its scheduled time has come; never wait for the worker."""
    gc.freeze()  # a collection over a million records would be a stall of ours
    try:
        asyncio.run(_send(bootstrap, records, progress))
    finally:
        gc.unfreeze()


async def _send(bootstrap: str, records: Iterable[Recorded], progress: Advance) -> None:
    async with Feed(bootstrap) as producer:
        for number, record in enumerate(records):
            while record.timestamp > time.time() * 1000:
                await producer.flush()
                await asyncio.sleep(TURN_S)
                progress(number)
            await producer.add(record)
        await producer.settle()


def _take(answer: Any) -> Any:  # noqa: ANN401 - multiprocessing's queue
    try:
        return answer.get(timeout=WAIT_S)
    except Empty:
        raise StagewatchError(f"the alerts have not come to an end for {WAIT_S:.0f} s") from None


def _read(bootstrap: str, is_over: Event, answer: Any, quiet_s: float) -> None:  # noqa: ANN401 - multiprocessing's queue
    """Follow the alert topic until nothing has come for a while after the end; answer with what was seen."""
    seen: list[Seen] = []
    with TopicTail(bootstrap, ALERTS) as tail:
        tail.poll(0)
        answer.put("reading")
        quiet = time.monotonic()
        while not is_over.is_set() or time.monotonic() - quiet < quiet_s:
            found = tail.poll(50)
            now = time.time() * 1000
            for record in found:
                alert = decode_alert(record.value or b"")
                if alert.event == "raised" and alert.evidence:
                    place = alert.evidence[0]
                    source = (place.topic, place.partition, place.offset)
                    seen.append(
                        Seen(source, alert.rule, alert.instance, alert.raised_at, record.timestamp, now)
                    )  # fmt: skip
            if found:
                quiet = time.monotonic()
    answer.put(seen)


def delays(seen: Sequence[Seen], sent: dict[tuple[str, int, int], int], end: Callable[[Seen], float]) -> list[float]:
    """Give, sorted, how many ms lie between a record's scheduled time and an end of the alert that it raised."""
    return sorted(end(each) - sent[each.source] for each in seen if each.source in sent)


def percentile(ordered: Sequence[float], share: int) -> float:
    """Give the value below or at which `share` percent of the ordered ones lie (nearest rank)."""
    return float(ordered[max(-(-len(ordered) * share // 100) - 1, 0)])
