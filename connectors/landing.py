"""Rows into a table's topic: written where the source's own records of the row are, and acknowledged.

Used by files, web services and the relay. It counts as written only what every replica in sync has.
"""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and the door of the room must be light

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from schemas import TryLater

WAIT_S = 30.0
"""Longest wait for the broker to take what was written."""
WINDOW = 5_000
"""Records that may be under way: a few MB, and enough to keep a line of 50 ms busy."""
_GIVEN_UP_S = 1.0
"""After so much more than its wait the producer gives a record up, and will not send it any more."""
DEFAULT_PARTITIONS = 8
"""As the worker makes its own topics where it finds none to go by."""
Header = tuple[str, bytes]
NO_KEY = b"none"
"""Stands for no key until it is serialized: kafka-python refuses a record of neither key nor value, Kafka has them."""


def sent_key(key: bytes | None) -> bytes:
    """Give a key as `send` takes it of a producer with `key_serializer=written_keys()`."""
    return NO_KEY if key is None else key


def written_keys() -> Any:  # noqa: ANN401 - kafka-python carries no types
    """Give what writes `sent_key`s as they were."""
    from kafka.serializer import Serializer

    class Keys(Serializer):  # type: ignore[misc]
        def serialize(self, topic: str, headers: object, data: bytes) -> bytes | None:  # noqa: ARG002 - kafka-python's
            return None if data is NO_KEY else data

    return Keys()


class Landing:
    """A producer; a context manager. Every method raises TryLater if the broker does not answer."""

    def __init__(self, bootstrap: str, *, wait_s: float | None = None) -> None:
        self._bootstrap, self._wait_s = bootstrap, WAIT_S if wait_s is None else wait_s
        self._producer: Any = None  # kafka-python carries no types
        self._under_way: list[Any] = []
        self._there: set[str] = set()

    def __enter__(self) -> Self:
        """Connect."""
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        try:
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap.split(","), acks="all", linger_ms=5, allow_auto_create_topics=False,
                key_serializer=written_keys(),
                bootstrap_timeout_ms=int(self._wait_s * 1000), max_block_ms=int(self._wait_s * 1000),
                request_timeout_ms=int(self._wait_s * 1000),
                delivery_timeout_ms=int((self._wait_s + _GIVEN_UP_S) * 1000),
            )  # fmt: skip
        except KafkaError as error:
            raise TryLater(f"no Kafka answers at {self._bootstrap}: {type(error).__name__}") from error
        return self

    def make_topic(self, topic: str, partitions: int | None) -> bool:
        """Make a table's topic if nobody has; whether it was made.

        It keeps its rows for ever: no capture could read them again.
        """
        from kafka.admin import KafkaAdminClient, NewTopic
        from kafka.errors import KafkaError, TopicAlreadyExistsError

        if topic in self._there:
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","))
            try:
                if topic in admin.list_topics():
                    self._there.add(topic)
                    return False
                made = NewTopic(topic, partitions or DEFAULT_PARTITIONS, -1, topic_configs={"retention.ms": "-1"})
                admin.create_topics([made])
            except TopicAlreadyExistsError:
                return False
            finally:
                admin.close()
        except KafkaError as error:
            raise TryLater(f"{topic} cannot be made: {type(error).__name__}") from error
        self._there.add(topic)
        return True

    def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        partition: int | None = None,
    ) -> None:
        """Send one record, to the partition of its key unless one is said; `settle` tells whether it arrived."""
        from kafka.errors import KafkaError

        try:
            self._under_way.append(
                self._producer.send(topic, value, key=sent_key(key), headers=list(headers), partition=partition)
            )
        except KafkaError as error:
            raise TryLater(f"{topic} takes no records: {type(error).__name__}") from error
        if len(self._under_way) >= WINDOW:
            self.settle()

    def settle(self) -> None:
        """Return when everything that was put has been acknowledged.

        After an error none is under way any more: who looks then which of them Kafka has, sees it.
        """
        sent, self._under_way = self._under_way, []
        self._await(sent)

    def _await(self, sent: Sequence[Any], failure: Exception | None = None) -> None:
        """Return when all have arrived, or raise TryLater when none is under way any more."""
        from kafka.errors import KafkaError

        deadline = time.monotonic() + self._wait_s + 2 * _GIVEN_UP_S
        for each in sent:
            try:
                each.get(max(0.0, deadline - time.monotonic()))
            except KafkaError as error:
                failure = failure or error
        if failure is not None:
            raise TryLater(f"Kafka at {self._bootstrap} did not take the rows: {type(failure).__name__}") from failure

    def write(self, topic: str, records: Sequence[tuple[bytes | None, bytes, Sequence[Header]]]) -> None:
        """Send records (key, value, headers) and return when Kafka has them. May be called from several threads.

        After an error none is under way any more: who looks then which of them Kafka has, sees it.
        """
        from kafka.errors import KafkaError

        sent: list[Any] = []
        failure: Exception | None = None
        try:
            for key, value, headers in records:
                sent.append(self._producer.send(topic, value, key=sent_key(key or None), headers=list(headers)))
        except KafkaError as error:
            failure = error
        self._await(sent, failure)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; what was not settled may be lost."""
        self._producer.close(timeout=None if kind is None else 0)
