"""The shape of relay definitions (`version: relay/v1`): a channel between two networks. Both sides read one file.

Pydantic with `extra="forbid"`: these are our own files.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.health import span_ms
from connectors.references import Reference, secret_of
from connectors.relay.boxes import Box, FolderBox
from connectors.source_models import Span
from schemas import load_model

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


class RelayModel(_Model):
    """One channel."""

    version: str = Field(pattern=r"^relay/v1$")
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")
    topics: list[_TOPIC] = Field(
        min_length=1, description="what may cross; nothing else is read, and nothing else taken"
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

    def boxes(self, base: Path) -> tuple[Box, Box]:
        """Give the boxes of both directions. Raises MissingSecret, TryLater."""
        if self.folder is not None:
            return FolderBox(base / self.folder.forward), FolderBox(base / self.folder.back)
        from connectors.relay.table_box import TableBox  # noqa: PLC0415 - SQLAlchemy loads in half a second

        assert self.table is not None  # noqa: S101 - the model checked it
        url = secret_of(self.table.url)
        return TableBox(url, self.name, "forward"), TableBox(url, self.name, "back")


def load_relay(path: Path) -> RelayModel:
    """Read one definition. Raises `DefinitionError` with every fault."""
    return load_model(RelayModel, path.read_bytes(), str(path))[0]
