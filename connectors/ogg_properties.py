"""What decides whether the worker can use what a GoldenGate Kafka handler writes.

One operation a message, a key that keeps a row's changes in order, and the meta columns. Oracle GoldenGate for Big
Data, "Using the Kafka Handler", "Pluggable Formatters" and "Template Keywords". Pure; used by `connectors.ogg`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas import TableMapping
from schemas.mapping import Format

META = {
    "objectname": "table", "optype": "op_type", "timestamp": "op_ts", "currenttimestamp": "current_ts",
    "position": "pos", "primarykeycolumns": "primary_keys", "csn": "csn", "xid": "xid",
}  # fmt: skip
"""Keywords of the meta columns, and the names under which the decoder looks for them unless told otherwise."""
FORMATS = {"json": "ogg-json", "json_row": "ogg-json-row", "delimitedtext": "ogg-delimited"}
"""The handler's formats that are decoded, and the dialects that they are."""
ROW_FORMATS = frozenset({"json_row", "delimitedtext"})
"""Those with one image of the row, in which a changed primary key cannot be told."""
UTC = "goldengate.userexit.timestamp"
_NEEDED = ("objectname", "optype", "timestamp", "position")
_UNORDERED = re.compile(r"\$\{(null|position|current\w*|timestamp\w*|op\w+|emptystring|csn|xid|uuid)\b", re.IGNORECASE)

_KEYWORD = re.compile(r"\$\{(\w+)(?:\[([^\]]*)\])?\}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_OP_KEYS = {"insertopkey": "insert", "updateopkey": "update", "deleteopkey": "delete", "truncateopkey": "truncate"}
_OP_WORDS = {"I": "insert", "U": "update", "D": "delete", "T": "truncate", "UPSERT": "update"}
_OF_ROW = re.compile(r"\$\{(primarykeys|columnvalue)\b", re.IGNORECASE)
"""Keywords that differ from row to row; all others name the table, or the process."""


def parse_properties(text: str) -> dict[str, str]:
    r"""Read a properties file: `key=value` or `key: value` a line, `#` and `!` begin a comment, `\` joins lines."""
    found: dict[str, str] = {}
    for line in re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n\s*", r"\1", text).splitlines():
        match = re.match(r"\s*((?:\\.|[^#!\s=:\\])(?:\\.|[^\s=:\\])*)\s*[=:\s]\s*(.*?)\s*$", line)
        if match:
            found[unescaped(match[1])] = unescaped(match[2])
    return found


def escaped(value: str) -> str:
    """Write a value as `java.util.Properties` keeps it: ASCII, with nothing that it would trim."""
    inner = value.strip(" ")
    begin = value.index(inner)
    spaces = "\\u0020" * begin, "\\u0020" * (len(value) - begin - len(inner))
    return spaces[0] + "".join(_written(each) for each in inner) + spaces[1]


def _written(letter: str) -> str:
    if letter == "\\":
        return "\\\\"
    if " " <= letter <= "~":
        return letter
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def unescaped(text: str) -> str:
    """Read what stands in a properties file, as `java.util.Properties` does."""
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _LETTERS.get(m[2], m[2]), text)
    return plain.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


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
    # By their place alone fields are read as the declaration lists them; none of them tells the table.
    needed = _NEEDED[1:] if form == "delimitedtext" else _NEEDED
    missing = [keyword for keyword in needed if not re.search(rf"\$\{{{keyword}\b", template)]
    if missing:
        words = ",".join(f"${{{keyword}[{META[keyword]}]}}" for keyword in missing)
        yield Problem("format.metaColumnsTemplate", f"lacks {words}")
    if own.get("format.omitnullvalues", "false") == "true":
        yield Problem("format.omitNullValues", "null and missing look alike: a field that was emptied keeps its value")
    if form in ROW_FORMATS and (handling := own.get("format.pkupdatehandling", "abend")) != "delete-insert":
        why = "leaves the row of the old key behind" if handling == "update" else "stops there"
        yield Problem("format.pkUpdateHandling", f"{handling} {why} when a primary key is changed; set delete-insert")
    if (encoding := own.get("format.encoding", "utf-8")).lower().replace("-", "") != "utf8":
        yield Problem("format.encoding", f"'{encoding}' cannot be decoded; set UTF-8")


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
    if dialect:
        yield from _misread(own, tables)
    if form == "delimitedtext":
        yield from _cut_otherwise(own, tables)


def _misread(own: Mapping[str, str], tables: Sequence[TableMapping]) -> Iterator[Problem]:
    """Give what the decoder would look for under another name than the handler writes it."""
    template = own.get("format.metacolumnstemplate", "")
    written = [(META.get(word.lower(), word), name or META.get(word.lower(), word))
               for word, name in _KEYWORD.findall(template)]  # fmt: skip
    for form in dict.fromkeys(_Reading.of(table) for table in tables):
        odd = {ours: name for ours, name in written if ours in _READ and form.name_of(ours) != name}
        if odd:
            said = ", ".join(f"{ours}: {name}" for ours, name in odd.items())
            yield Problem("format.metaColumnsTemplate", "the declaration looks for other names; say there "
                          f"`format: {{meta: {{{said}}}}}`", is_fault=False)  # fmt: skip
        if own.get("format") == "delimitedtext" and form.head != tuple(name for _, name in written):
            said = ", ".join(name for _, name in written)
            yield Problem("format.metaColumnsTemplate", "the declaration has other columns in front; say there "
                          f"`format: {{head: [{said}]}}`", is_fault=False)  # fmt: skip
        for key, kind in _OP_KEYS.items():
            word = own.get(f"format.{key}")
            if word is not None and form.kind_of(word) != kind:
                name = f"format.{key.replace('opkey', 'OpKey')}"
                text = (
                    f"'{word}' is no {kind} to the declaration; say there `format: {{operations: {{{word}: {kind}}}}}`"
                )
                yield Problem(name, text, is_fault=False)


def _cut_otherwise(own: Mapping[str, str], tables: Sequence[TableMapping]) -> Iterator[Problem]:
    """Give where delimited text is written with other marks than the declaration reads it by."""
    marks = {(each.format.delimiter, each.format.null_marker, each.format.missing_marker) for each in tables}
    for key, ours, place in _MARKS:
        written = own.get(f"format.{key.lower()}", getattr(_PRODUCERS, ours))
        written = written[6:-1] if written.startswith("CDATA[") and written.endswith("]") else written
        if any(mark[place] != written for mark in marks):
            text = f"the declaration reads another; say there `format: {{{ours}: {json.dumps(written)}}}`"
            yield Problem(f"format.{key}", text, is_fault=False)
    if own.get("format.includecolumnnames", "false").lower() == "true":
        text = "names between the values are taken for values; set false"
        yield Problem("format.includeColumnNames", text)
    if own.get("format.linedelimiter", "\n").removeprefix("CDATA[").removesuffix("]").strip("\r\n"):
        yield Problem("format.lineDelimiter", "it is taken for part of the last value; leave it out")


_PRODUCERS = Format()
_MARKS = (
    ("fieldDelimiter", "delimiter", 0),
    ("nullValueRepresentation", "null_marker", 1),
    ("missingValueRepresentation", "missing_marker", 2),
)
_READ = frozenset({"op_type", "op_ts", "pos", "csn"})
"""Meta columns without which a record is refused, or loses its time or its order."""


class _Reading(NamedTuple):
    """What of a declaration says how the meta columns are read."""

    meta: tuple[tuple[str, str], ...]
    operations: tuple[tuple[str, str], ...]
    head: tuple[str, ...]

    @classmethod
    def of(cls, table: TableMapping) -> "_Reading":
        form = table.format
        return cls(tuple(form.meta.items()), tuple(form.operations.items()), form.head)

    def name_of(self, ours: str) -> str:
        return dict(self.meta).get(ours, ours)

    def kind_of(self, word: str) -> str | None:
        return {**_OP_WORDS, **dict(self.operations)}.get(word)


def _resolved(template: str, table: str) -> str:
    """Fill in the table's name; keywords that hang on more stay as they are."""
    topic = re.sub(r"\$\{tableName\}", table, template, flags=re.IGNORECASE)
    return re.sub(r"\$\{to(?:Lower|Upper)Case\[([^\[\]{}$]*)\]\}", r"\1", topic, flags=re.IGNORECASE)
