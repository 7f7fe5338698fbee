"""Dead letters on their way: what the agents that decode captured records could not read.

Both the re-keying and the tracking agent write them in the transaction that moves past the record.
"""

from collections.abc import Iterable

from schemas import DeadLetter, Refused, encode_dead_letter
from streams.logic import Batch, SourcePartition
from streams.metrics import Metrics
from streams.partitioner import Partitioner

MAX_LETTER_BYTES = 16 << 20
"""Raw bytes kept in a dead letter; in base64 that is under the 32 MB that our topics take."""


class Letters:
    """The dead letters of one lease that are not written yet."""

    def __init__(self, topic: str, partitioner: Partitioner, metrics: Metrics) -> None:
        self._topic, self._partitioner, self._metrics = topic, partitioner, metrics
        self._waiting: list[tuple[int, bytes, bytes]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, source: SourcePartition, refused: Iterable[Refused]) -> None:
        """Make a letter of each refused record of a source partition."""
        for record, why in refused:
            value, detail = record.value, why.detail
            if value is not None and len(value) > MAX_LETTER_BYTES:
                detail = f"{detail} (only the first {MAX_LETTER_BYTES} of {len(value)} bytes are kept)"
                value = value[:MAX_LETTER_BYTES]
            letter = DeadLetter.of(
                why.reason, detail, topic=source.topic, partition=source.partition, offset=record.offset,
                timestamp=record.timestamp, key=record.key, value=value,
            )  # fmt: skip
            key = source.topic.encode() + b"|" + (record.key or b"")
            self._waiting.append((self._partitioner.of_bytes(key), key, encode_dead_letter(letter)))
            self._metrics.on_dead_letter(why.reason, source.topic)

    def write(self, batch: Batch) -> None:
        """Put all of them into a batch."""
        waiting, self._waiting = self._waiting, []
        for number, key, value in waiting:
            batch.writes.setdefault(SourcePartition(self._topic, number), []).append((key, value))
