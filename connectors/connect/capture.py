"""Which declared tables a connector captures, under which topics, and what the two declarations say of one another.

A source's declaration (`connectors/sources/*.yaml`) says what the worker expects; a connector's file says what
will come. Where they differ the worker would see nothing, or re-key for nothing. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.debezium import Debezium, Trap
from connectors.sources import SourceCatalog
from schemas import TableMapping

TABLES, KEYS = "table.include.list", "message.key.columns"
_ROUTERS = {
    "org.apache.kafka.connect.transforms.RegexRouter": ("regex", "replacement"),
    "io.debezium.transforms.ByLogicalTableRouter": ("topic.regex", "topic.replacement"),
}
_PLAIN_TABLE = re.compile(r"(?P<schema>[^.\\()*+?|\[\]]+)\\?\.(?P<table>(?:[^.\\()*+?|\[\]]|\\\$)+)")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a database, by the names that the connector uses."""

    schema: str
    name: str

    @property
    def pattern(self) -> str:
        """Its entry of an include list, which is a list of anchored expressions."""
        return re.escape(self.schema) + r"\." + re.escape(self.name)


def derived_config(tables: Sequence[TableMapping], schema: str, *, names_are_upper: bool) -> dict[str, str]:
    """Give the settings that follow from a source's declaration: the captured tables, and what keys their records."""
    listed = [Table(_cased(schema, names_are_upper), _cased(each.table, names_are_upper)) for each in tables]
    keys = [
        f"{table.pattern}:{_cased(each.instance, names_are_upper)}"
        for table, each in zip(listed, tables, strict=True)
        if each.message_key == "json" and each.instance
    ]
    config = {TABLES: ",".join(table.pattern for table in listed)}
    return config | ({KEYS: ";".join(keys)} if keys else {})


def _cased(name: str, is_upper: bool) -> str:  # noqa: FBT001 - one meaning, and it is in the name
    return name.upper() if is_upper else name


def captured_tables(model: Debezium) -> list[Table]:
    """Give the tables that the include list names one by one; those behind wider expressions are not known."""
    found = (_PLAIN_TABLE.fullmatch(part.strip()) for part in (model.table_include_list or "").split(","))
    return [Table(match["schema"], match["table"].replace("\\", "")) for match in found if match]


def topic_of(table: Table, model: Debezium) -> str:
    """Give the topic in which a table's records end up, after the routers among the transforms."""
    topic = model.table_topic(table.schema, table.name)
    for name in filter(None, (part.strip() for part in model.transforms.split(","))):
        keys = _ROUTERS.get(model.setting(f"transforms.{name}.type") or "")
        if keys:
            regex, replacement = (model.setting(f"transforms.{name}.{key}") or "" for key in keys)
            topic = _routed(topic, regex, replacement)
    return topic


def _routed(topic: str, regex: str, replacement: str) -> str:
    """Rename a topic as Java's `Matcher.replaceFirst` does, if all of it matches."""
    try:
        match = re.fullmatch(regex, topic)
        return match.expand(re.sub(r"\$(\d+|\{\w+\})", _group, replacement)) if match else topic
    except (re.error, IndexError):
        return topic


def _group(match: re.Match[str]) -> str:
    return rf"\g<{match[1].strip('{}')}>"


def disagreements(model: Debezium, catalog: SourceCatalog, source: str | None) -> Iterator[Trap]:
    """Give where connector and source declaration do not fit together.

    `source`: the declaration that the file names, if it does: then every captured table has to be in it.
    """
    for table in captured_tables(model):
        topic = topic_of(table, model)
        mapping = catalog.mapping_for(topic)
        if mapping is None:
            if source is not None:
                text = f"{table.schema}.{table.name} goes to the topic {topic}, which no source declares"
                yield Trap("source-topic", "topic.prefix", text)
            continue
        if not mapping.dialect.startswith("debezium"):
            text = f"{topic} is declared as {mapping.dialect}; overrule it with the setting `dialects`"
            yield Trap("source-dialect", "connector.class", text)
        if model.time_precision_mode == "connect" and model.has_no_schema and mapping.timestamp_unit != "ms":
            text = f"times come as milliseconds, but {topic} is declared with timestamp_unit {mapping.timestamp_unit}"
            yield Trap("time-units", "time.precision.mode", text)
        yield from _keying(table, mapping, _key_columns(model))


def _key_columns(model: Debezium) -> Mapping[str, list[str]]:
    pairs = (part.rpartition(":") for part in (model.message_key_columns or "").split(";") if ":" in part)
    return {pattern.strip(): [name.strip().lower() for name in columns.split(",")] for pattern, _, columns in pairs}


def _keying(table: Table, mapping: TableMapping, keys: Mapping[str, list[str]]) -> Iterator[Trap]:
    full_name = f"{table.schema}.{table.name}"
    columns = next((names for pattern, names in keys.items() if _matches(pattern, full_name)), None)
    wanted = [mapping.instance] if mapping.message_key == "json" else None
    if columns == wanted:
        return
    if columns is None:
        text = f"{mapping.topic} is declared as keyed by {mapping.instance} (`message_key`), but {KEYS} does not say so"
    elif columns == [mapping.instance]:
        text = (
            f"{mapping.topic} will be keyed by {mapping.instance}; declare the table with `message_key: json`, "
            "then the worker has nothing to re-key"
        )
    else:
        text = f"{mapping.topic} will be keyed by {', '.join(columns)}, which its declaration does not say"
    yield Trap("message-key", KEYS, text)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name, re.IGNORECASE) is not None
    except re.error:
        return False
