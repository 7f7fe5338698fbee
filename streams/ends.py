"""Where the source partitions end: asked of the broker a few times a second, once per worker.

Why: only while everything that was written has been read may the wall clock drive the clock of a partition
(contract, section 7). "Everything" is what the broker says, not what this worker happens to have seen.
"""

import asyncio
import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import Broken
from streams.logic import SourcePartition

log = logging.getLogger("stagewatch.ends")

ASK_EVERY_S = 0.25
"""A timer may lag a second: question, marks and transaction must fit in."""
ASK_AGAIN_S = 0.04
"""While changes wait to be judged the next question comes this soon."""
WRITTEN_WITHIN_MS = 20
"""A record is in its log this soon after its timestamp: producers stamp it before they send it. A question asked
so much later has counted it."""
MOST_LATE_MS = 500
"""No record is waited for longer, however late they come: a timer must fire within the second."""
OLD_MS = 2_000
"""A record stamped so long ago tells nothing about clocks: it is history, or was held up on its way."""
LATE_FOR_S = 10.0
"""How long it is remembered how late a record came: clocks drift slowly, and step seldom."""
KEPT_ANSWERS = 250
"""Under steady load marks trail the ends: an answer some seconds old is the newest that they have passed."""
FRESH_S = 5.0
"""Older answers say nothing: the broker is out of reach, and nothing is judged until it is back."""


class Answer:
    """What the broker said: at `asked_at` (epoch ms) nothing lay beyond `ends`."""

    __slots__ = ("_of", "asked_at", "ends", "reference_ends", "serial")

    def __init__(
        self,
        serial: int,
        asked_at: int,
        ends: Mapping[SourcePartition, int],
        reference_ends: Mapping[SourcePartition, int],
    ) -> None:
        self.serial, self.asked_at, self.ends, self.reference_ends = serial, asked_at, ends, reference_ends
        self._of: dict[int, Mapping[SourcePartition, int]] = {}

    def of(self, number: int, direct: frozenset[str]) -> Mapping[SourcePartition, int]:
        """Give the ends that matter to one tracking partition: of `direct` topics only its own number."""
        if not direct:
            return self.ends
        found = self._of.get(number)
        if found is None:
            found = self._of[number] = {
                tp: end for tp, end in self.ends.items() if tp.partition == number or tp.topic not in direct
            }
        return found


class Ends:
    """The latest answers, newest first; and the service that asks."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.answers: deque[Answer] = deque(maxlen=KEPT_ANSWERS)
        self._serial = 0
        self._wanted = asyncio.Event()
        self._late: deque[tuple[float, int]] = deque()  # when and how late, the latest by far first

    @property
    def written_by(self) -> int:
        """How long before a question a record must be stamped to be counted for sure, ms.

        Learnt from records that were stamped before a question and written after it: a clock here that is ahead of
        the producers' would else let the records of one source overtake those of another.
        """
        late, now = self._late, self._now()
        while late and now - late[0][0] > LATE_FOR_S:
            late.popleft()
        return WRITTEN_WITHIN_MS + late[0][1] if late else WRITTEN_WITHIN_MS

    def note_uncounted(self, source: SourcePartition, offset: int, at: int) -> None:
        """Note a record, stamped `at`, that was read: was it written after a question that claims to be later?"""
        answer = self.answers[0] if self.answers else None
        if answer is None or offset < answer.ends.get(source, offset + 1):
            return
        by = answer.asked_at - at - WRITTEN_WITHIN_MS
        if 0 < by < OLD_MS:
            by = min(by, MOST_LATE_MS)
            while self._late and self._late[-1][1] <= by:
                self._late.pop()
            self._late.append((self._now(), by))

    @property
    def latest(self) -> Answer | None:
        """The newest answer, unless it is too old to mean anything."""
        if not self.answers or self._now() * 1000 - self.answers[0].asked_at > FRESH_S * 1000:
            return None
        return self.answers[0]

    def newest(self, is_reached: Callable[[Answer], bool]) -> Answer | None:
        """Give the newest answer that is reached; None if none is. Whoever reached one has reached all older ones."""
        answers = list(self.answers)
        index = bisect_left(answers, 1, key=lambda answer: int(is_reached(answer)))
        return answers[index] if index < len(answers) else None

    def ask_soon(self) -> None:
        """Changes wait for a newer answer."""
        self._wanted.set()

    def add(
        self, asked_at: int, ends: Mapping[SourcePartition, int], reference_ends: Mapping[SourcePartition, int]
    ) -> None:
        """Take an answer. If the clock of this machine went back, what was asked by it before says nothing any more."""
        if self.answers and asked_at < self.answers[0].asked_at:
            self.answers.clear()
            self._late.clear()
        self._serial += 1
        self.answers.appendleft(Answer(self._serial, asked_at, ends, reference_ends))

    async def ask_for_ever(
        self,
        consumer: AIOKafkaConsumer,
        sources: Iterable[SourcePartition],
        references: Iterable[SourcePartition],
        on_answer: Callable[[Answer], None],
        give_up_s: float = 0.0,
    ) -> None:
        """Ask until cancelled. `consumer` must read committed: then the end is the last stable offset.

        Raises Broken after `give_up_s` without an answer (0: never): a client that lost its way is as silent as a
        broker that is away, and only a new one tells them apart.
        """
        sources, references = list(sources), list(references)
        tps = list({TopicPartition(*tp) for tp in [*sources, *references]})
        answered = time.monotonic()
        while True:
            asked_at = int(self._now() * 1000)
            try:
                found = await consumer.end_offsets(tps) if tps else {}
            except KafkaError as exc:
                log.warning("cannot ask for the ends of the sources: %r", exc)
                if 0 < give_up_s < time.monotonic() - answered:
                    raise Broken(f"the broker has not answered for {give_up_s:.0f} s") from exc
            else:
                answered = time.monotonic()
                ends = {tp: found[TopicPartition(*tp)] for tp in sources}
                self.add(asked_at, ends, {tp: found[TopicPartition(*tp)] for tp in references})
                on_answer(self.answers[0])
            await asyncio.sleep(ASK_AGAIN_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), ASK_EVERY_S - ASK_AGAIN_S)
            self._wanted.clear()
