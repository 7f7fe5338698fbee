"""The shape of relay definitions (`version: relay/v1`): a channel between two networks. Both sides read one file.

Pydantic with `extra="forbid"`: these are our own files.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.health import span_ms
from connectors.references import Reference, secret_of
from connectors.relay.boxes import Box, FolderBox
from connectors.relay.outward import Outward
from connectors.source_models import Span
from schemas import DefinitionError, Fault, Places, TableMapping, load_model

_LOOKED_INTO = frozenset({"debezium-json", "ogg-json", "canal-json", "maxwell-json"})
"""Dialects whose records `Outward` can look into."""
_TOPIC = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FolderModel(_Model):
    """Two folders that the isolation device carries over; each side names its own ends of them."""

    forward: Path = Field(description="where batches lie: the sender's side writes, the receiver's reads")
    back: Path = Field(description="where acknowledgements lie")


class TableModel(_Model):
    """A database table that both sides reach."""

    url: Reference = Field(description="where the SQLAlchemy URL is: env:NAME or file:PATH")


class ColumnsModel(_Model):
    """What of one topic's rows crosses; every other column stays on the sender's side."""

    allow: list[str] = Field(min_length=1, description="columns that cross as they are; the key must be among them")
    mask: list[str] = Field(default=[], description="columns that cross masked: 138****5678, 张**; numbers become null")


class RelayModel(_Model):
    """One channel."""

    version: str = Field(pattern=r"^relay/v1$")
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")
    topics: list[_TOPIC] = Field(
        min_length=1, description="what may cross; nothing else is read, and nothing else taken"
    )
    columns: dict[_TOPIC, ColumnsModel] = Field(
        default={}, description="topic to the columns that may cross; a topic that is not here crosses whole"
    )
    key: Reference = Field(description="where the key is that both sides sign with: env:NAME or file:PATH")
    folder: FolderModel | None = None
    table: TableModel | None = None
    again_after: Span = Field(
        default="30s",
        description="so long after it was put on the way a batch that has vanished without an acknowledgement goes "
        "again: longer than the device and the other side usually take, both ways",
    )
    from_sys: str = Field(default="outer", description="the sending network's name in the exchange log")
    to_sys: str = Field(default="inner", description="the receiving network's name there")

    @model_validator(mode="after")
    def _has_one_road(self) -> Self:
        if (self.folder is None) == (self.table is None):
            raise ValueError("either folder or table")
        return self

    @property
    def again_after_s(self) -> float:
        """Give `again_after` in seconds."""
        return (span_ms(self.again_after) or 0) / 1000

    def outward(self, mappings: Sequence[TableMapping]) -> dict[str, Outward]:
        """Give the rules of the topics whose rows do not cross whole; `mappings`: the captured tables."""
        meta = {mapping.topic: mapping.format.meta for mapping in mappings}
        return {topic: Outward(model.allow, model.mask, meta=meta.get(topic)) for topic, model in self.columns.items()}

    def boxes(self, base: Path) -> tuple[Box, Box]:
        """Give the boxes of both directions. Raises MissingSecret, TryLater."""
        if self.folder is not None:
            return FolderBox(base / self.folder.forward), FolderBox(base / self.folder.back)
        from connectors.relay.table_box import TableBox  # noqa: PLC0415 - SQLAlchemy loads in half a second

        assert self.table is not None  # noqa: S101 - the model checked it
        url = secret_of(self.table.url)
        return TableBox(url, self.name, "forward"), TableBox(url, self.name, "back")


def load_relay(path: Path, mappings: Sequence[TableMapping]) -> RelayModel:
    """Read one definition; `mappings`: the captured tables. Raises `DefinitionError` with every fault."""
    model, places = load_model(RelayModel, path.read_bytes(), str(path))
    tables = {mapping.topic: mapping for mapping in mappings}
    faults = [*_topic_faults(model, tables, places), *_column_faults(model, tables, places)]
    if faults:
        raise DefinitionError(faults)
    return model


def _topic_faults(model: RelayModel, tables: Mapping[str, TableMapping], places: Places) -> Iterator[Fault]:
    for index, topic in enumerate(model.topics):
        if topic not in tables:
            near = ", ".join(get_close_matches(topic, tables, n=3)) or f"{len(tables)} others"
            yield places.fault(("topics", index), f"no source declares '{topic}'; known are {near}")


def _column_faults(model: RelayModel, tables: Mapping[str, TableMapping], places: Places) -> Iterator[Fault]:
    for topic, columns in model.columns.items():
        if topic not in model.topics:
            yield places.fault(("columns", topic), f"'{topic}' is not among the topics", key=True)
        mapping = tables.get(topic)
        if mapping is None:
            continue
        if mapping.dialect not in _LOOKED_INTO:
            text = f"rows of {mapping.dialect} cannot be looked into; those of {', '.join(sorted(_LOOKED_INTO))} can"
            yield places.fault(("columns", topic), text, key=True)
        known = {*mapping.columns, *mapping.key}
        for field, names in (("allow", columns.allow), ("mask", columns.mask)):
            for index, name in enumerate(names):
                if name.lower() not in known:
                    near = ", ".join(get_close_matches(name.lower(), known, n=3)) or ", ".join(sorted(known))
                    yield places.fault(("columns", topic, field, index), f"no column '{name}'; known are {near}")
        allowed = {name.lower() for name in columns.allow}
        for name in (name for name in mapping.key if name not in allowed):
            text = f"the key column '{name}' must cross as it is: without it nobody can tell the rows apart"
            yield places.fault(("columns", topic, "allow"), text)
        if mapping.instance is not None and mapping.instance not in {*allowed, *mapping.key}:
            text = f"the column '{mapping.instance}' must cross as it is: without it nobody can tell whose a row is"
            yield places.fault(("columns", topic, "allow"), text)
