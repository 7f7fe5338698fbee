"""What the worker is told of the captured tables; `connectors.SourceCatalog` is one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from schemas import SchemaOf, TableMapping


class Sources(Protocol):
    """What is captured, and how to read it; `connectors.SourceCatalog` is one."""

    def mapping_for(self, topic: str) -> TableMapping | None:
        """Give the mapping of a topic; None if no source declares it."""

    def told(self, entities: Collection[str]) -> "Sources":
        """Give the same with the further views alone that belong to instances of these entities."""

    def captured(self, topics: Iterable[str]) -> "Sources":
        """Give the same as it is where only these topics are captured: without views that live on others."""

    @property
    def precedence(self) -> Mapping[str, Sequence[str]]:
        """Which source is believed, by entity and field."""

    @property
    def believed(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """By entity and field the rows beside that are believed before its own."""

    @property
    def schema_of(self) -> SchemaOf | None:
        """Where the schemas of Avro topics are asked for; None if nowhere."""

    def rhythms(self) -> Mapping[str, float]:
        """Give per source its longest normal silence, seconds; a source without one has no rhythm."""

    def known_codes(self) -> Mapping[str, Mapping[str, Collection[str]]]:
        """Give the codes of the lists that columns are written in, by entity and field."""
