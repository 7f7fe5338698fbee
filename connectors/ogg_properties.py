"""What decides whether the worker can use what a GoldenGate Kafka handler writes.

One operation a message, a key that keeps a row's changes in order, and the meta columns. Oracle GoldenGate for Big
Data, "Using the Kafka Handler", "Pluggable Formatters" and "Template Keywords". Pure; used by `connectors.ogg`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas import TableMapping

META = {
    "objectname": "table", "optype": "op_type", "timestamp": "op_ts", "currenttimestamp": "current_ts",
    "position": "pos", "primarykeycolumns": "primary_keys", "csn": "csn", "xid": "xid",
}  # fmt: skip
"""Keywords of the meta columns, and the names under which the decoder looks for them unless told otherwise."""
FORMATS = {"json": "ogg-json", "json_row": "ogg-json-row", "delimitedtext": "ogg-delimited"}
"""The handler's formats that are decoded, and the dialects that they are."""
UTC = "goldengate.userexit.timestamp"
_NEEDED = ("objectname", "optype", "timestamp", "position")
_UNORDERED = re.compile(r"\$\{(null|position|currenttimestamp\w*|opseqno|emptystring)\b", re.IGNORECASE)

_OF_ROW = re.compile(r"\$\{(primarykeys|columnvalue)\b", re.IGNORECASE)
"""Keywords that differ from row to row; all others name the table, or the process."""


def parse_properties(text: str) -> dict[str, str]:
    r"""Read a properties file: `key=value` or `key: value` a line, `#` and `!` begin a comment, `\` joins lines."""
    found: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        match = re.match(r"\s*([^#!\s=:][^\s=:]*)\s*[=:\s]\s*(.*?)\s*$", line)
        if match:
            found[match[1]] = match[2]
    return found


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one property. Not a fault: works, but not with the declaration as it stands."""

    key: str
    text: str
    is_fault: bool = True


def check_properties(properties: Mapping[str, str], tables: Sequence[TableMapping]) -> Iterator[Problem]:
    """Give what is wrong with every Kafka handler of a properties file. `tables`: those that it shall write."""
    names = [name.strip() for name in properties.get("gg.handlerlist", "").split(",")]
    handlers = [name for name in names if properties.get(f"gg.handler.{name}.type") == "kafka"]
    if not handlers:
        yield Problem("gg.handlerlist", "names no handler of type kafka")
    for name in handlers:
        prefix = f"gg.handler.{name}."
        # GoldenGate does not mind the case of a handler's properties.
        own = {key[len(prefix) :].lower(): value for key, value in properties.items() if key.startswith(prefix)}
        for problem in (*_wrong(own), *_undeclared(own, tables)):
            yield Problem(prefix + problem.key, problem.text, problem.is_fault)
    if properties.get(UTC, "").lower() != "utc" and any(table.op_ts_timezone == "UTC" for table in tables):
        text = "op_ts is written in the server's own zone, but the source declares UTC: set utc, or op_ts_timezone"
        yield Problem(UTC, text, is_fault=False)


def _wrong(own: Mapping[str, str]) -> Iterator[Problem]:
    if own.get("mode", "tx") != "op":
        yield Problem("mode", "tx puts a whole transaction into one message without a key, so nothing keeps a row's "
                      "changes together; set op")  # fmt: skip
    form = own.get("format", "")
    if form not in FORMATS:
        yield Problem("format", f"'{form}' cannot be decoded; known: {', '.join(FORMATS)}")
    key = own.get("keymappingtemplate", "")
    if not key or _UNORDERED.search(key):
        yield Problem("keyMappingTemplate", f"'{key}' scatters the changes of one row over the partitions, and their "
                      "order is lost; set ${primaryKeys}")  # fmt: skip
    elif not _OF_ROW.search(key):
        yield Problem("keyMappingTemplate", f"'{key}' is the same for every row: all of a table goes to one partition, "
                      "and a compacted topic keeps one row; set ${primaryKeys}")  # fmt: skip
    template = own.get("format.metacolumnstemplate", "").lower()
    missing = [keyword for keyword in _NEEDED if not re.search(rf"\$\{{{keyword}\b", template)]
    if missing:
        words = ",".join(f"${{{keyword}[{META[keyword]}]}}" for keyword in missing)
        yield Problem("format.metaColumnsTemplate", f"lacks {words}")
    if own.get("format.omitnullvalues", "false") == "true":
        yield Problem("format.omitNullValues", "null and missing look alike: a field that was emptied keeps its value")
    if form == "json_row" and own.get("format.pkupdatehandling", "abend") == "abend":
        yield Problem("format.pkUpdateHandling", "abend stops at the first update of a primary key; set update")


def _undeclared(own: Mapping[str, str], tables: Sequence[TableMapping]) -> Iterator[Problem]:
    template, form = own.get("topicmappingtemplate", ""), own.get("format", "")
    dialect = FORMATS.get(form)
    for table in tables:
        topic = _resolved(template, table.table)
        if "${" not in topic and topic.lower() != table.topic.lower():
            text = f"{table.table} goes to {topic}, but its declaration says {table.topic}"
            yield Problem("topicMappingTemplate", text, is_fault=False)
    odd = sorted({table.dialect for table in tables if dialect and table.dialect != dialect})
    if odd:
        text = (
            f"the source is declared as {', '.join(odd)}; say so in the settings: "
            f'dialects: {{"cdc.{tables[0].source}.*": {{dialect: {dialect}, op_ts_timezone: UTC}}}}'
        )
        yield Problem("format", text, is_fault=False)
    if any(table.message_key != "row" for table in tables) and own.get("keymappingtemplate") == "${primaryKeys}":
        text = "records are keyed by the row, but the declaration says `message_key`: leave it out there"
        yield Problem("keyMappingTemplate", text, is_fault=False)


def _resolved(template: str, table: str) -> str:
    """Fill in the table's name; keywords that hang on more stay as they are."""
    topic = re.sub(r"\$\{tableName\}", table, template, flags=re.IGNORECASE)
    return re.sub(r"\$\{to(?:Lower|Upper)Case\[([^\[\]{}$]*)\]\}", r"\1", topic, flags=re.IGNORECASE)
