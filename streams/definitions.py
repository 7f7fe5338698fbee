"""The rules that partitions of this worker judge by: those of its folders, or those that were published.

`stagewatch.definitions` is read from its beginning by every worker. A proposed set is loaded here and answered for;
it comes into effect when whoever published it says so, and each partition takes it up when its clock reaches that
moment (`tracking.py`). The topic counts as reference data: nothing later than what was read of it is judged.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from rules import Answer, Definitions, Engine, Ledger, Manifest, decode_record, encode_record
from schemas import BadInput, Broken, DefinitionError
from streams.logic import SourcePartition

log = logging.getLogger("stagewatch.definitions")

_POLL_MS = 200
_RETRY_S = 1.0
ATTEMPTS = 3
MOST_FAULTS = 20
"""More of them nobody reads in an answer."""


class RuleBook:
    """Engines by the serial of their set; 0 is that of the worker's own folders. Pure but for compiling."""

    def __init__(self, own: Engine, make_engine: Callable[[Definitions], Engine] | None = None) -> None:
        """Take the engine of the worker's own rules; without `make_engine` there are no others."""
        self.ledger = Ledger()
        self._make_engine = make_engine or (lambda _definitions: own)
        self._engines = {0: own}
        self._judging: dict[int, int] = {}
        self.on_taken: Callable[[int], None] = lambda _serial: None
        """Called when all partitions that this worker has judge by a set, and that is committed."""

    @property
    def newest(self) -> Engine:
        """The engine of the set that is in effect: what a partition without state begins with."""
        return self._known(max(self.ledger.effective_at, default=0))

    def engine(self, serial: int) -> Engine | None:
        """Give the engine of a set; None if the topic does not have the set any more."""
        return self._known(serial) if serial in self._engines or serial in self.ledger.manifests else None

    def following(self, serial: int) -> tuple[int, int] | None:
        """Give when (epoch ms) and as which serial a set came into effect after another; None if none has yet."""
        at = self.ledger.effective_at
        if not at or serial >= max(at):
            return None
        following = self.ledger.following(serial)
        return None if following is None else (at[following], following)

    def has(self, manifest: Manifest) -> bool:
        """Tell whether the set is loaded."""
        return manifest.serial in self._engines

    def loaded(self, manifest: Manifest) -> Definitions:
        """Give a set that is loaded."""
        return self._engines[manifest.serial].definitions

    def load(self, manifest: Manifest) -> None:
        """Make an engine of a set. Raises DefinitionError; may be called in a thread."""
        self._engines[manifest.serial] = self._make_engine(self.ledger.definitions(manifest))

    def _known(self, serial: int) -> Engine:
        if serial not in self._engines:
            self.load(self.ledger.manifests[serial])
        return self._engines[serial]

    # -- who judges by what

    def judges_by(self, number: int, serial: int) -> None:
        """A partition judges by a set, and that is committed."""
        if self._judging.get(number) == serial:
            return
        self._judging[number] = serial
        if set(self._judging.values()) == {serial}:
            self.on_taken(serial)

    def forget(self, number: int) -> None:
        """A partition went to another worker."""
        self._judging.pop(number, None)

    @property
    def judging(self) -> Mapping[int, int]:
        """Serial by partition, as committed."""
        return dict(self._judging)


class DefinitionsReader:
    """Reads the topic, loads what is proposed, answers, and tells what this worker's partitions judge by."""

    def __init__(self, book: RuleBook, *, topic: str, worker: str) -> None:
        """Take the name of the topic, and that of the worker as its group knows it (its client id)."""
        self._book, self._topic, self._worker = book, topic, worker
        self.source = SourcePartition(topic, 0)
        self.on_read: Callable[[SourcePartition, int, int], None] = lambda _source, _position, _high: None
        """Called with how far the topic was read, and the time of the newest record."""
        self.on_effective: Callable[[Definitions], None] = lambda _definitions: None
        self._high = -1
        self._heard_at = 0.0
        self._consumer: AIOKafkaConsumer | None = None
        self._settings: Mapping[str, Any] = {}
        self._says: set[asyncio.Task[None]] = set()
        self._is_live = False
        book.on_taken = self._on_taken

    async def start(self, settings: Mapping[str, Any]) -> None:
        """Read everything there is; raises Broken if the set in effect cannot be loaded here."""
        self._settings = settings
        self._consumer = consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", fetch_max_wait_ms=100, **settings,
        )  # fmt: skip
        await consumer.start()
        tp = TopicPartition(*self.source)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            await self._poll(50)
        ledger = self._book.ledger
        if ledger.current is not None:
            log.warning("judging by the published rules %d; those of the folders are not used", ledger.current.serial)
            await self._load(ledger.current)
        self._is_live = True
        newest = ledger.manifests.get(ledger.next_serial - 1)
        if newest is not None and newest.state == "proposed":  # somebody is just waiting for answers
            self._go(self._answer(newest))

    async def run(self) -> None:
        """Go on reading until cancelled. Raises Broken if a set comes into effect that cannot be loaded here."""
        while self._consumer is not None:
            await self._poll(_POLL_MS)

    async def stop(self) -> None:
        """Let go of the consumer. May be called twice."""
        consumer, self._consumer = self._consumer, None
        for task in list(self._says):
            task.cancel()
        if consumer is not None:
            await consumer.stop()

    async def _poll(self, timeout_ms: int) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        for records in (await consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                await self._take(record)
        self.on_read(self.source, await consumer.position(TopicPartition(*self.source)), self._high)

    async def _take(self, record: Any) -> None:  # noqa: ANN401 - aiokafka's record
        """Take a record in; a set that comes into effect is loaded before the partitions can see it."""
        self._high = max(self._high, record.timestamp)
        if record.value is None:
            return
        try:
            found = decode_record(record.value)
        except BadInput as error:  # not ours: anybody may write into a topic
            log.warning("%s at %d: %s", self._topic, record.offset, error)
            return
        news = found if isinstance(found, Manifest) and self._is_live else None
        if news and news.state == "effective":
            await self._load(news)
            self._heard_at = time.monotonic()
        self._book.ledger.put(found, record.timestamp)
        if news and news.state == "effective" and not self._book.judging:
            self._on_taken(news.serial)  # there is nothing to take up
        elif news and news.state == "proposed":
            self._go(self._answer(news))  # beside reading: judging waits for what is not read
        elif news and news.state == "withdrawn":
            log.warning("rules %d were withdrawn: %s", news.serial, news.note)

    async def _load(self, manifest: Manifest) -> None:
        """Have the engine of a set that is in effect. Raises Broken: to judge by another would be wrong."""
        try:
            if not self._book.has(manifest):
                await asyncio.to_thread(self._book.load, manifest)
        except DefinitionError as error:
            raise Broken(
                f"the rules {manifest.serial} that are in effect cannot be loaded by this worker:\n{error}\n"
                "run the version of the program that published them, or take them back: stagewatch rules rollback"
            ) from error
        log.info("rules %d are in effect: %s", manifest.serial, manifest.note or "no note")
        self.on_effective(self._book.loaded(manifest))

    # -- answers

    async def _answer(self, manifest: Manifest) -> None:
        faults: tuple[str, ...] = ()
        try:
            await asyncio.to_thread(self._book.load, manifest)
        except DefinitionError as error:
            faults = tuple(str(fault) for fault in error.faults[:MOST_FAULTS])
            log.warning("rules %d are refused: %s", manifest.serial, faults[0])
        except Exception as error:  # whatever it is, this worker could not judge by them
            faults = (f"{type(error).__name__}: {error}",)
            log.exception("rules %d are refused", manifest.serial)
        state: Literal["accepted", "refused"] = "refused" if faults else "accepted"
        await self._send(Answer(serial=manifest.serial, worker=self._worker, state=state, faults=faults))

    def _on_taken(self, serial: int) -> None:
        if not serial or not self._heard_at:
            return
        numbers, seconds = tuple(sorted(self._book.judging)), round(time.monotonic() - self._heard_at, 2)
        log.info("%d partitions judge by rules %d, %s s after the news", len(numbers), serial, seconds)
        self._go(
            self._send(Answer(serial=serial, worker=self._worker, state="taken", partitions=numbers, seconds=seconds))
        )

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._says.add(task)
        task.add_done_callback(self._says.discard)

    async def _send(self, answer: Answer) -> None:
        """Write an answer; who waits for it gives up by itself if it never comes."""
        for _ in range(ATTEMPTS):
            producer = AIOKafkaProducer(acks="all", **self._settings)
            try:
                await producer.start()
                await producer.send_and_wait(self._topic, encode_record(answer), answer.key.encode(), partition=0)
            except KafkaError as error:
                log.warning("cannot answer for rules %d: %r", answer.serial, error)
                await asyncio.sleep(_RETRY_S)
            else:
                return
            finally:
                await producer.stop()
