"""The feed: lives told to real Kafka while faults happen, each record stamped with the moment it is told.

It keeps what it told (`sent`), which is the truth. A record of a life is told only once the broker has acknowledged
the one before it, so that the order within an application is beyond doubt, whatever happens to the broker.
"""

import heapq
import json
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from zlib import crc32

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from tests.fault.lives import APP, KEYS, PROGRESS, Row, Step, new_life, references

PACE_S = 0.01
ACK_PATIENCE_S = 300.0
"""A broker may be away for a minute, and come back slowly."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FeedFailed(Exception):
    """The feed itself did not work: the run says nothing about the product."""


class Sent(NamedTuple):
    """A row that the broker holds. `at` is the record's timestamp, `acked_at` when the broker had it; epoch ms."""

    at: int
    acked_at: int
    of: str
    topic: str
    row: Row


class RawSent(NamedTuple):
    """Bytes told as they are (poison): where they lie."""

    topic: str
    partition: int
    offset: int


class Feed:
    """Tells lives at a steady rate from a thread of its own. `pause` and `resume` as often as wanted."""

    def __init__(
        self, bootstrap: str, seed: int, *, lives_per_s: float, partitions: dict[str, int], is_keyed: bool = False
    ) -> None:
        """`is_keyed`: messages of applications are keyed by the instance, as `message.key.columns` makes them."""
        self.sent: list[Sent] = []
        self.raw: list[RawSent] = []
        self._seed, self._lives_per_s, self._partitions = seed, lives_per_s, partitions
        self._keys = {**KEYS, APP: "app_no", PROGRESS: "app_no"} if is_keyed else KEYS
        self._producer: Any = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2,
            delivery_timeout_ms=int(ACK_PATIENCE_S * 1000), max_block_ms=int(ACK_PATIENCE_S * 1000),
        )  # fmt: skip
        self._lock = threading.Lock()  # guards `sent`, `raw`, `_open`, `_last` and `_steps`
        self._open = 0
        self._busy: dict[str, int] = {}  # life to number of records on their way
        self._steps: list[tuple[int, int, Step]] = []
        self._numbers, self._lives, self._lsn = count(), count(), count(1000, 10)
        self._failure: BaseException | None = None
        self._runs = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    # -- told by the harness

    def tell_references(self) -> None:
        """Tell districts, managers and list items, and wait until the broker has them."""
        for step in references(int(time.time() * 1000)):
            self._send(step)
        self.flush()

    def resume(self) -> None:
        """Begin or go on."""
        self._idle.clear()  # here, not by the thread: a pause that follows at once must wait for it
        self._runs.set()

    def pause(self) -> None:
        """Tell nothing more and wait until the broker has everything told. Raises FeedFailed."""
        self._runs.clear()
        self._idle.wait()
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything. Raises FeedFailed."""
        deadline = time.monotonic() + ACK_PATIENCE_S
        while self._open:
            if self._failure is not None or time.monotonic() > deadline:
                raise FeedFailed(f"{self._open} records were not taken") from self._failure
            with suppress(KafkaTimeoutError):  # the broker is away: until our own deadline
                self._producer.flush(1.0)

    def send_raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Tell bytes as they are; each must become a dead letter (see `World.verify`)."""
        number = crc32(key or b"") % self._partitions[topic]
        with self._lock:
            self._open += 1
        at = int(time.time() * 1000)
        future = self._producer.send(topic, key=key, value=value, partition=number, timestamp_ms=at)
        future.add_callback(self._on_raw)
        future.add_errback(self._on_failure)

    def close(self) -> None:
        """Stop; what is not told yet never will be."""
        self._ends = True
        self._runs.set()
        self._thread.join(10)
        with suppress(KafkaError):  # a broker that is away: what is not taken by now is given up
            self._producer.close(timeout=1.0)

    # -- its thread

    def _run(self) -> None:
        try:
            self._tell()
        except BaseException as exc:  # noqa: BLE001 - said by the next `flush`
            self._failure = exc
            self._idle.set()

    def _tell(self) -> None:
        next_life = time.time()
        while not self._ends:
            if not self._runs.is_set():
                self._idle.set()
                self._runs.wait()
                next_life = time.time()
            self._idle.clear()
            now = time.time()
            while next_life <= now:
                self._begin(int(now * 1000))
                next_life += 1 / self._lives_per_s
            self._tell_due(int(now * 1000))
            time.sleep(PACE_S)

    def _begin(self, now: int) -> None:
        self._put(new_life(self._seed, next(self._lives), now))

    def _put(self, steps: Iterable[Step]) -> None:
        for step in steps:
            heapq.heappush(self._steps, (step.at, next(self._numbers), step))

    def _tell_due(self, now: int) -> None:
        held: dict[str, list[tuple[int, int, Step]]] = {}
        while self._steps and self._steps[0][0] <= now:
            entry = heapq.heappop(self._steps)
            step = entry[2]
            if step.of in held or self._busy.get(step.of):
                held.setdefault(step.of, []).append(entry)
            else:
                self._send(step)
        for entries in held.values():
            for entry in entries:
                heapq.heappush(self._steps, entry)

    def _send(self, step: Step) -> None:
        at = int(time.time() * 1000)
        name = self._keys[step.topic]
        key = json.dumps({name: step.row[name]}, separators=(",", ":")).encode()
        with self._lock:
            self._open += 1
            self._busy[step.of] = self._busy.get(step.of, 0) + 1
        value = debezium(step.row, next(self._lsn), at)
        future = self._producer.send(step.topic, key=key, value=value, timestamp_ms=at)
        future.add_callback(self._on_sent, at, step)
        future.add_errback(self._on_failure)

    # -- the producer's thread

    def _on_sent(self, at: int, step: Step, _metadata: object) -> None:
        with self._lock:
            self.sent.append(Sent(at, int(time.time() * 1000), step.of, step.topic, step.row))
            self._busy[step.of] -= 1
            if not self._busy[step.of]:
                del self._busy[step.of]
            self._open -= 1

    def _on_raw(self, metadata: Any) -> None:
        with self._lock:
            self.raw.append(RawSent(metadata.topic, metadata.partition, metadata.offset))
            self._open -= 1

    def _on_failure(self, exc: BaseException) -> None:
        self._failure = exc if isinstance(exc, KafkaError) else KafkaError(repr(exc))


def debezium(row: Row, lsn: int, at: int) -> bytes:
    """Give a row as Debezium's PostgreSQL connector writes it, without a schema."""
    image = {name: iso(v) if isinstance(v, int) and name.endswith(TIMES) else v for name, v in row.items()}
    image["plan_finish_at"] = row.get("plan_finish_at")
    if image["plan_finish_at"] is None:
        del image["plan_finish_at"]
    envelope = {"before": None, "after": image, "source": {"lsn": lsn}, "op": "u", "ts_ms": at}
    return json.dumps(envelope, ensure_ascii=False).encode()


TIMES = ("_at", "_from", "_to")


def iso(ms: int) -> str:
    """Give epoch ms as the connector writes a timestamp with time zone."""
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
