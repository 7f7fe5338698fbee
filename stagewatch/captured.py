"""Captured topics read to their present ends and decoded, for commands that count what was captured. Writes nothing."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stagewatch.cli import Failed

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from schemas import Change, TableMapping
    from stagewatch.settings import Settings


class Captured:
    """What was captured of the declared tables, and what was odd about it."""

    def __init__(self, catalog: SourceCatalog, settings: Settings) -> None:
        """Find the topics. Raises `Failed` without a broker, `TryLater` if it does not answer."""
        from connectors import existing_topics

        if settings.bootstrap is None:
            raise Failed("no broker is set: name it with STAGEWATCH_BROKER or in the settings file")
        self._bootstrap, self._schema_of = settings.bootstrap, catalog.schema_of
        self._topics = existing_topics(settings.bootstrap)
        self.unknown_codes: Counter[tuple[str, str]] = Counter()
        """By topic and column, of what was read so far."""

    def changes(self, mappings: Iterable[TableMapping]) -> Iterator[tuple[TableMapping, Change]]:
        """Give every change of these tables, table by table; refused records are left out."""
        from schemas import BadInput, Decoder
        from stagewatch.topic_reader import read_topic

        for mapping in (each for each in mappings if each.topic in self._topics):
            decoder = Decoder(mapping, schema_of=self._schema_of)
            for record in read_topic(self._bootstrap, mapping.topic):
                try:
                    changes = decoder.decode_all(
                        key=record.key, value=record.value, timestamp=record.timestamp, topic=mapping.topic,
                        partition=record.partition, offset=record.offset,
                    )  # fmt: skip
                except BadInput:
                    continue
                for change in changes:
                    yield mapping, change
            self.unknown_codes.update({(mapping.topic, name): n for name, n in decoder.unknown_codes.items()})
