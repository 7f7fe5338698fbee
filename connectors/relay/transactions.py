"""A transactional producer: what it writes stands all at once or never, and of one name only the newest one writes.

A request that arrives after its sender gave it up, or died, is refused by the broker once a successor has opened.
"""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and only a running relay needs it

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from connectors.landing import sent_key, written_keys

WAIT_S = 30.0
"""Longest wait for the broker to take what was written, and again for it to commit."""
_GIVEN_UP_S = 1.0
"""After so much more than its wait the producer gives a record up."""
OPEN_MOST_S = 2 * WAIT_S
"""After so long the broker ends a transaction whose writer died: until then what came behind it is not read."""


class Outgoing(NamedTuple):
    """A record on its way; `partition`: None for that of its key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


class Transactions:
    """Writes under one transactional id. Every method raises KafkaError; nothing is open any more then."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._bootstrap, self.name = bootstrap, name
        self._producer: Any = None  # kafka-python carries no types

    @property
    def is_open(self) -> bool:
        """Whether nothing has failed since the last `open`."""
        return self._producer is not None

    def open(self) -> None:
        """Shut out every earlier writer of this name; what it had not committed never stands."""
        from kafka import KafkaProducer

        self.give_up()
        wait_ms = int(WAIT_S * 1000)
        self._producer = KafkaProducer(
            bootstrap_servers=self._bootstrap.split(","), transactional_id=self.name, acks="all", linger_ms=5,
            key_serializer=written_keys(),
            transaction_timeout_ms=int(OPEN_MOST_S * 1000), allow_auto_create_topics=False,
            bootstrap_timeout_ms=wait_ms, max_block_ms=wait_ms, request_timeout_ms=wait_ms,
            delivery_timeout_ms=wait_ms + int(_GIVEN_UP_S * 1000),
        )  # fmt: skip
        with self._or_none():
            self._producer.init_transactions()

    def write(self, records: Iterable[Outgoing]) -> None:
        """Write all of them in order, or none. After an error either may be so: what stands tells."""
        with self._or_none():
            self._producer.begin_transaction()
            self._send(records)
            _within(self._producer.commit_transaction)

    def write_and_abort(self, record: Outgoing) -> int:
        """Write one record that must never be seen; gives its offset."""
        with self._or_none():
            self._producer.begin_transaction()
            (offset,) = self._send([record])
            _within(self._producer.abort_transaction)
        return offset

    def _send(self, records: Iterable[Outgoing]) -> list[int]:
        sent = [
            self._producer.send(each.topic, each.value, sent_key(each.key), list(each.headers), each.partition)
            for each in records
        ]  # fmt: skip
        deadline = time.monotonic() + WAIT_S + 2 * _GIVEN_UP_S
        return [each.get(max(0.0, deadline - time.monotonic())).offset for each in sent]

    @contextmanager
    def _or_none(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Let go of the producer, without waiting: what it had not committed will be ended by the next `open`."""
        producer, self._producer = self._producer, None
        if producer is not None:
            threading.Thread(target=_end, args=(producer,), daemon=True).start()

    def close(self) -> None:
        """Disconnect; nothing is under way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=_GIVEN_UP_S)


def _end(producer: Any) -> None:  # noqa: ANN401 - kafka-python carries no types
    """Abort what is open, and close. Takes as long as the broker is away: kafka-python waits without an end."""
    from kafka.errors import KafkaError

    with suppress(KafkaError):
        producer.abort_transaction()
    with suppress(KafkaError):
        producer.close(timeout=WAIT_S)


def _within(call: Callable[[], None]) -> None:
    """Call what kafka-python waits for without an end. Raises its error, and KafkaTimeoutError after `WAIT_S`."""
    from kafka.errors import KafkaTimeoutError

    failures: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    if not done.wait(WAIT_S):
        raise KafkaTimeoutError(f"no end of a transaction within {WAIT_S:g} s")
    if failures:
        raise failures[0]
