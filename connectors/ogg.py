"""GoldenGate's Kafka handler, made from a short file (`version: ogg/v1`) and a source's declaration.

GoldenGate has no interface to be told by: the text goes to the people who run it. Called by `stagewatch
connectors ogg` and `stagewatch check`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.ogg_properties import (
    FORMATS,
    META,
    ROW_FORMATS,
    UTC,
    check_properties,
    escaped,
    parse_properties,
    unescaped,
)
from connectors.sources import SourceCatalog
from schemas import DefinitionError, Fault, Places, TableMapping, load_model
from schemas.mapping import Format

__all__ = ["PRODUCER", "VERSION", "Handler", "check_properties", "load_handler", "parse_properties"]

VERSION = "ogg/v1"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OggModel(_Model):
    """One handler: from which declaration it follows, and what differs from ours."""

    version: Literal["ogg/v1"]
    name: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9_]{0,31}$", description="the handler's name; by default the file's"
    )
    title: str = Field(default="", description="what it captures, in the business's words")
    source: str = Field(description="prefix of a declared source: mkt, lean, ...")
    tables: list[str] | None = Field(default=None, min_length=1, description="by default all that the source declares")
    producer_config: str = Field(
        default="stagewatch_producer.properties", description="file with the Kafka producer's own settings"
    )
    settings: dict[str, str | int | bool] = Field(
        default={}, description="properties besides or instead of ours; `gg.handler.<name>.` may be left out"
    )


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler as its file wants it: properties in order."""

    name: str
    properties: Mapping[str, str]
    source: str

    @property
    def text(self) -> str:
        """The properties file, escaped as Java reads it."""
        return "".join(f"{key}={escaped(value)}\n" for key, value in self.properties.items())


def load_handler(path: Path, catalog: SourceCatalog) -> tuple[Handler, list[Fault]]:
    """Give the handler of a file, and warnings. Raises `DefinitionError` with every fault."""
    model, places = load_model(OggModel, path.read_bytes(), str(path))
    tables = _declared(model, catalog, places)
    name = model.name or path.stem
    prefix = f"gg.handler.{name}."
    own = {
        key if key.startswith(("gg.", "goldengate.", "javawriter.", "jvm.")) else prefix + key: _text(value)
        for key, value in model.settings.items()
    }
    properties = _properties(name, model.producer_config, tables, own.get(f"{prefix}format")) | own
    problems = list(check_properties(properties, tables))
    spelt = {key if key in model.settings else key.removeprefix(prefix): key for key in properties}
    where = {full: short for short, full in spelt.items()}
    faults = [
        (each.is_fault, places.fault(("settings", where.get(each.key, each.key)), each.text, key=True))
        for each in problems
    ]
    if any(is_fault for is_fault, _ in faults):
        raise DefinitionError([fault for is_fault, fault in faults if is_fault])
    return Handler(name, properties, model.source), [fault for _, fault in faults]


def _text(value: str | int | bool) -> str:  # noqa: FBT001 - a value of a properties file
    """Give a setting's value, which is written as in a properties file."""
    return str(value).lower() if isinstance(value, bool) else unescaped(str(value))


def _declared(model: OggModel, catalog: SourceCatalog, places: Places) -> list[TableMapping]:
    source = model.source.lower()
    found = {mapping.table: mapping for mapping in catalog.mappings if mapping.source == source}
    if not found:
        known = ", ".join(sorted({mapping.source for mapping in catalog.mappings}))
        raise DefinitionError([places.fault(("source",), f"no source '{model.source}' is declared; known: {known}")])
    unknown = [
        places.fault(("tables", index), f"source '{source}' declares no table '{name}'; known: {', '.join(found)}")
        for index, name in enumerate(model.tables or [])
        if name.lower() not in found
    ]
    if unknown:
        raise DefinitionError(unknown)
    return [found[name.lower()] for name in model.tables or found]


def _properties(
    name: str, producer_config: str, tables: Sequence[TableMapping], asked_form: str | None
) -> dict[str, str]:
    """Give the properties that follow from the declaration, in the order in which people write them."""
    prefix = f"gg.handler.{name}."
    dialects = {table.dialect for table in tables}
    form = asked_form or next((form for form, dialect in FORMATS.items() if dialects == {dialect}), "json")
    return {
        "gg.handlerlist": name,
        f"{prefix}type": "kafka",
        f"{prefix}kafkaProducerConfigFile": producer_config,
        f"{prefix}mode": "op",
        f"{prefix}topicMappingTemplate": f"cdc.{tables[0].source}.${{toLowerCase[${{tableName}}]}}",
        f"{prefix}keyMappingTemplate": "${primaryKeys}",
        f"{prefix}format": form,
        **{f"{prefix}format.{key}": value for key, value in _formatting(form, tables[0].format).items()},
        UTC: "utc",
        "goldengate.userexit.writers": "javawriter",
        "gg.log": "log4j",
        "gg.report.time": "30sec",
    }


def _formatting(form: str, declared: Format) -> dict[str, str]:
    """Give the formatter's own properties: what the declaration says of the records, as the handler calls it."""
    names = {declared.meta.get(ours, ours): keyword for keyword, ours in META.items()}
    if form != "delimitedtext":
        told = {"iso8601Format": "true", "omitNullValues": "false"}
        columns = list(names)
    else:
        told = {
            "fieldDelimiter": _kept(declared.delimiter), "nullValueRepresentation": _kept(declared.null_marker),
            "missingValueRepresentation": _kept(declared.missing_marker), "includeColumnNames": "false",
        }  # fmt: skip
        columns = list(declared.head)
    template = ",".join(f"${{{names.get(column, column)}[{column}]}}" for column in columns)
    handling = {"pkUpdateHandling": "delete-insert"} if form in ROW_FORMATS else {}
    return {"metaColumnsTemplate": template} | told | handling


def _kept(text: str) -> str:
    """Write what GoldenGate would trim into `CDATA[]`."""
    return text if text.isprintable() and text == text.strip() else f"CDATA[{text}]"


PRODUCER = {
    "bootstrap.servers": "kafka:9092",
    "acks": "all",
    "enable.idempotence": "true",
    "compression.type": "lz4",
    "linger.ms": "20",
    "key.serializer": "org.apache.kafka.common.serialization.ByteArraySerializer",
    "value.serializer": "org.apache.kafka.common.serialization.ByteArraySerializer",
}
"""The producer's own file: nothing lost, nothing twice, a row's changes in order."""
