"""A connector's offsets as a file: a backup before work on the source, and the way back.

JSON, as Connect gives them, with the connector's name and class, so that they are not put into another by mistake.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.debezium import MODELS, REFERENCE
from schemas import StagewatchError

VERSION = "offsets/v1"


class BadOffsets(StagewatchError):
    """A file or text that holds no offsets, or another connector's."""


class OffsetModel(BaseModel):
    """How far one part of the source has been read. Offset None: forget it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: dict[str, Any]
    offset: dict[str, Any] | None


class OffsetsModel(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal["offsets/v1"]
    connector: str
    connector_class: str
    offsets: Annotated[list[OffsetModel], Field(min_length=1)]


def exported(name: str, config: Mapping[str, str], offsets: Sequence[Mapping[str, Any]]) -> str:
    """Give the file's text. Raises BadOffsets if there is nothing to export."""
    if not offsets:
        raise BadOffsets(f"{name} has no offsets: it has read nothing yet, or Connect has not stored them")
    content = {
        "version": VERSION, "connector": name, "connector_class": config.get("connector.class", ""),
        "offsets": list(offsets),
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def imported(text: str | bytes, file: str, *, name: str, config: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the offsets of a file. Raises BadOffsets if it is broken or of another connector."""
    try:
        found = OffsetsModel.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadOffsets(f"{file}: {f'{place}: ' if place else ''}{first['msg']}") from None
    kind = config.get("connector.class", "")
    if (found.connector, found.connector_class) != (name, kind):
        raise BadOffsets(
            f"{file}: holds the offsets of {found.connector} ({found.connector_class}), not of {name} ({kind})"
        )
    offsets = [each.model_dump() for each in found.offsets]
    try:
        check_partitions(name, config, offsets)
    except BadOffsets as error:
        raise BadOffsets(f"{file}: {error}") from None
    return offsets


def check_partitions(name: str, config: Mapping[str, str], offsets: Sequence[Mapping[str, Any]]) -> None:
    """Raise BadOffsets for offsets that a connector of Debezium's would never look up, and so begin anew.

    Connect takes them without a word; all of Debezium's name the part that they are of by `topic.prefix`.
    """
    prefix = config.get("topic.prefix", "")
    if config.get("connector.class", "") not in MODELS or REFERENCE.search(prefix):
        return
    for each in offsets:
        server = each["partition"].get("server") if isinstance(each["partition"], dict) else None
        if server != prefix:
            text = f"offsets of the server {json.dumps(server)}, but {name} has the topic.prefix '{prefix}'"
            raise BadOffsets(f"{text}: it would not find them, and begin anew")
