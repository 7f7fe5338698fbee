"""The relay's inner end at Kafka: what crossed is written as it was, together with how far the channel has come.

Both stand in one transaction, so a receiver that starts knows exactly what stands, whatever became of its own state;
and what an earlier one sent arrives too late. A broker without transactions keeps no progress: there the receiver's own
notes tell, and a request that arrives after its sender is gone is not refused.
"""

# ruff: noqa: PLC0415 - kafka-python loads in a tenth of a second, and only a running relay needs it

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from connectors.landing import Landing
from connectors.relay.ends import POLL_MS, WAIT_MS, Groupless, place_of
from connectors.relay.envelope import RelayedRecord
from connectors.relay.receiver import RELAY_HEADER
from connectors.relay.transactions import Outgoing, Transactions
from schemas import TryLater

PROGRESS = "stagewatch.relay."
"""With the channel's name: its progress topic inside, and its transactional id."""
_PROGRESS_CONFIG = {"cleanup.policy": "compact", "segment.bytes": str(4 << 20)}
"""Only the newest is ever read. The open segment is never compacted: a small one keeps the topic small."""
_TAIL = 64
"""Offsets looked at first: with each progress stands a control record, and aborted ones may follow."""


class InnerWriter(Groupless):
    """Writes records with the keys that they had, and finds those that stand already."""

    def __init__(self, bootstrap: str, landing: Landing, channel: str, *, partitions: int | None = None) -> None:
        """`channel`: its name is its own in this Kafka. `partitions`: of topics that are made."""
        super().__init__(bootstrap)
        self._landing, self._count, self._progress = landing, partitions, f"{PROGRESS}{channel}"
        self._transactions = Transactions(bootstrap, self._progress)
        self._has_transactions: bool | None = None

    @property
    def is_exact(self) -> bool:
        """Whether this Kafka has transactions, as `take_over` found."""
        return bool(self._has_transactions)

    def take_over(self) -> Mapping[str, str] | None:
        """Shut out earlier receivers of the channel, and give the progress that was written last. Raises TryLater.

        None: nothing has failed since it was asked last, or there is none.
        """
        if self._has_transactions is False or self._transactions.is_open:
            return None
        with self._trying():
            self._make_progress_topic()
            self._transactions.open()
            if self._has_transactions is None:
                self._has_transactions = self._hides_what_was_aborted()
            if self._has_transactions:
                return self._kept()
            self._transactions.close()
            return None

    def _kept(self) -> Mapping[str, str] | None:
        """Give the progress that was committed last: what had not been, `open` has ended."""
        tp = self._progress_partition()
        begin, end = self._consumer.beginning_offsets([tp])[tp], self._consumer.end_offsets([tp])[tp]
        start, look = end, _TAIL
        while start > begin:
            start, look = max(begin, end - look), look * _TAIL
            if (found := self._last(tp, start, end)) is not None:
                return {name: str(fact) for name, fact in json.loads(found).items()}
        return None

    def _hides_what_was_aborted(self) -> bool:
        """Tell whether this broker's transactions are any.

        The embedded one takes part in all of it, and then shows what was aborted.
        """
        offset = self._transactions.write_and_abort(Outgoing(self._progress, b"", b"{}", partition=0))
        tp = self._progress_partition()
        return self._last(tp, offset, offset + 1) is None

    def _last(self, tp: Any, start: int, end: int) -> bytes | None:  # noqa: ANN401 - kafka-python carries no types
        """Give the last value between two offsets; None: none was committed. Raises KafkaError."""
        from kafka.errors import KafkaTimeoutError

        deadline, last = time.monotonic() + WAIT_MS / 1000, None
        self._consumer.assign([tp])
        self._consumer.seek(tp, start)
        while self._consumer.position(tp) < end:
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"{place_of(tp)} cannot be read to its end")
            for record in self._consumer.poll(timeout_ms=POLL_MS).get(tp, []):
                last = record.value
        return last

    def _progress_partition(self) -> Any:  # noqa: ANN401 - kafka-python carries no types
        for tp in self.partitions([self._progress]):
            return tp
        raise TryLater(f"{self._bootstrap} does not say yet where {self._progress} is")

    def _make_progress_topic(self) -> None:
        from kafka.admin import KafkaAdminClient, NewTopic
        from kafka.errors import TopicAlreadyExistsError

        if self.partitions([self._progress]):
            return
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","))
        try:
            made = NewTopic(self._progress, 1, -1, topic_configs=_PROGRESS_CONFIG)
            admin.create_topics([made], wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return
        finally:
            admin.close()

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Give where the topics end; they are made if they are not there. Raises TryLater."""
        listed = sorted(topics)
        self._make(listed)
        with self._trying():
            ends = self._consumer.end_offsets(self.partitions(listed))
        return {place_of(tp): offset for tp, offset in ends.items()}

    def marks(self, ends: Mapping[str, int]) -> set[str]:
        """Give the relay headers of what stands behind `ends`. Raises TryLater."""
        found: set[str] = set()
        with self._trying():
            partitions = self.partitions({place.rpartition(":")[0] for place in ends})
            self._consumer.assign(partitions)
            for tp in partitions:
                self._consumer.seek(tp, ends.get(place_of(tp), 0))
            is_at_end = False
            while not is_at_end:
                targets = self._consumer.end_offsets(partitions)
                is_at_end = all(self._consumer.position(tp) >= targets[tp] for tp in partitions)
                for batch in self._consumer.poll(timeout_ms=POLL_MS).values():
                    found |= {
                        value.decode() for record in batch for name, value in record.headers if name == RELAY_HEADER
                    }
        return found

    def width(self, topic: str) -> int:
        """Give how many partitions a topic has; it is made if it is not there. Raises TryLater."""
        self._make([topic])
        with self._trying():
            partitions = self.partitions([topic])
        if not partitions:
            raise TryLater(f"{self._bootstrap} does not say yet how many partitions {topic} has")
        return len(partitions)

    def write(self, records: Sequence[RelayedRecord], progress: Mapping[str, str]) -> None:
        """Write records in order, each with the time at which it arrives here, and the progress. Raises TryLater.

        Those without a key go into the partition that they name. After an error none is under way any more: what
        `take_over` gives, or without transactions `marks` tells, then stays true.
        """
        if not self.is_exact:
            self._write_plainly(records)
            return
        self._make({record.topic for record in records})
        value = json.dumps(dict(progress)).encode()
        with self._trying():
            self._transactions.write([
                *(Outgoing(r.topic, r.key, r.value, r.headers, _partition(r)) for r in records),
                Outgoing(self._progress, self._progress.encode(), value, partition=0),
            ])  # fmt: skip

    def _write_plainly(self, records: Iterable[RelayedRecord]) -> None:
        try:
            for record in records:
                self._landing.put(record.topic, record.key, record.value, record.headers, _partition(record))
        finally:
            self._landing.settle()

    def _make(self, topics: Iterable[str]) -> None:
        for topic in sorted(topics):
            self._landing.make_topic(topic, self._count)

    @contextmanager
    def _trying(self) -> Iterator[None]:
        from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

        try:
            yield
        except (ProducerFencedError, InvalidProducerEpochError) as error:
            self._transactions.give_up()
            text = "another receiver of this channel has taken over, or this one stood still for too long"
            raise TryLater(f"{self._bootstrap}: {self._progress}: {text}") from error
        except KafkaError as error:
            self._transactions.give_up()
            why = f"{type(error).__name__} {error}".rstrip()
            raise TryLater(f"{self._bootstrap}: {self._progress}: {why}") from error
        except TryLater:
            self._transactions.give_up()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._transactions.close()
        super().__exit__(kind, error, trace)


def _partition(record: RelayedRecord) -> int | None:
    return record.partition if record.key is None else None
