"""Captured topics read to their present ends and decoded, for commands that count what was captured. Writes nothing."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stagewatch.cli import bootstrap_of

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from schemas import Change, TableMapping
    from stagewatch.settings import Settings
    from stagewatch.topic_reader import TopicRecord


@dataclass(slots=True)
class Late:
    """The records of one topic that came later than its allowed lateness (R-D06)."""

    limit_ms: int
    first: TopicRecord
    most_ms: int = 0
    """Lateness of the latest."""
    count: int = 0

    def add(self, lateness_ms: int) -> None:
        """Take in one record."""
        self.count += 1
        self.most_ms = max(self.most_ms, lateness_ms)


class Captured:
    """What was captured of the declared tables, and what was odd about it."""

    def __init__(self, catalog: SourceCatalog, settings: Settings) -> None:
        """Find the topics. Raises `Failed` without a broker, `TryLater` if it does not answer."""
        from connectors import existing_topics

        self._bootstrap, self._schema_of = bootstrap_of(settings), catalog.schema_of
        self._topics = existing_topics(self._bootstrap)
        self.unknown_codes: Counter[tuple[str, str]] = Counter()
        """By topic and column, of what was read so far."""
        self.late: dict[str, Late] = {}
        """By topic, of what `changes` was told the limits of."""
        self.warnings: list[str] = []
        """What the records read so far say against their declarations; a sentence each, with what to do."""

    def changes(
        self, mappings: Iterable[TableMapping], late_limits: Mapping[str, int] | None = None
    ) -> Iterator[tuple[TableMapping, Change]]:
        """Give every change of these tables, table by table; refused records are left out.

        `late_limits`: by topic, how late (ms) its records may be; those that are later are counted in `late`.
        """
        from schemas import BadInput, Decoder, SourceClock
        from stagewatch.topic_reader import read_topic

        for mapping in (each for each in mappings if each.topic in self._topics):
            decoder, clock = Decoder(mapping, schema_of=self._schema_of), SourceClock(mapping)
            limit_ms, high = (late_limits or {}).get(mapping.topic), dict[int, int]()
            for record in read_topic(self._bootstrap, mapping.topic):
                arrived = high[record.partition] = max(record.timestamp, high.get(record.partition, 0))
                try:
                    changes = decoder.decode_all(
                        key=record.key, value=record.value, headers=record.headers, timestamp=arrived,
                        topic=mapping.topic, partition=record.partition, offset=record.offset,
                    )  # fmt: skip
                except BadInput:
                    continue
                decoder.note_arrival(changes, record.timestamp, arrived)
                if limit_ms is not None and any(change.op != "r" for change in changes):  # a snapshot is old by nature
                    self._note_lateness(mapping.topic, record, clock.time_of(record.value or b""), limit_ms)
                for change in changes:
                    yield mapping, change
            self.warnings += decoder.warnings
            self.unknown_codes.update({(mapping.topic, name): n for name, n in decoder.unknown_codes.items()})

    def _note_lateness(self, topic: str, record: TopicRecord, told_ms: int | None, limit_ms: int) -> None:
        if told_ms is not None and record.timestamp - told_ms > limit_ms:
            self.late.setdefault(topic, Late(limit_ms, record)).add(record.timestamp - told_ms)
