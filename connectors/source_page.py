"""The reference page of the declared sources (`docs/sources.md`): made from the declarations, never written by hand.

Called by `stagewatch sources docs`.
"""

from collections.abc import Iterator

from connectors.source_models import ColumnModel, SourceModel, TableModel, ViewModel
from connectors.sources import SourceCatalog

_HEAD = """\
# Sources

Made by `stagewatch sources docs`; do not edit. What the words mean:

- **Key**: what a row is known by. **Held**: *state*: its rows belong to the process instance that the column names and
  stand in its state (*if set*: rows where it is null belong to none); *look-up*: every worker holds them; *checked*:
  they are read, checked and counted, and no rule reads them yet.
- **Also**: further views of the same row, told where a loaded process follows those instances: *entity* in the state of
  the instance, with the rows that are told and the columns that feed another field there.
- Columns are text unless a type is given. *not kept*: taken by imports, not held by workers. `codes`: converted to the
  standard codes of that list; a code that the list does not have is kept as it came and counted.
- An entity with `@source` stands beside the one that another system tells with more weight (setting `precedence`).

## What each dialect is tested on

Every dialect passes the same contract test. Where its producer runs on a test machine, the records are its own;
elsewhere they are written after its documentation and sources, each with its origin
(`tests/contract/golden/documented.jsonl`): try a table of such a source first (`stagewatch sources try`).

| Dialect | Recorded from the real producer | Written after the documented form |
|---|---|---|
| `debezium-json` | PostgreSQL and MariaDB connectors | Oracle, MySQL, SQL Server, Db2 connectors; flattened records |
| `debezium-avro` | PostgreSQL connector, Apicurio's converter and registry | - |
| `ogg-json` | - | GoldenGate for Big Data, JSON formatter; public messages |
| `ogg-json-row` | - | GoldenGate for Big Data, JSON formatter, row form |
| `ogg-delimited` | - | GoldenGate for Big Data, delimited text formatter |
| `canal-json` | - | Canal's `FlatMessage`; Flink CDC |
| `maxwell-json` | - | Maxwell, data format and bootstrapping |
"""


def source_page(catalog: SourceCatalog) -> str:
    """Give the page, in Markdown."""
    tables = sum(len(file.model.tables) for file in catalog.files)
    items = sum(len(table.seed) for file in catalog.files for table in file.model.tables.values())
    lines = [_HEAD, f"{len(catalog.files)} sources, {tables} tables, {items} named data items.", ""]
    for file in sorted(catalog.files, key=lambda file: file.model.source):
        lines += _source(file.model, catalog)
    return "\n".join(lines)


def _source(model: SourceModel, catalog: SourceCatalog) -> Iterator[str]:
    quiet = f" Normal silence: up to {model.quiet_after}." if model.quiet_after else ""
    yield f"## {model.source}: {model.title}"
    yield ""
    yield f"Dialect `{model.dialect}`, topics `{model.topic.format(source=model.source, table='<table>')}`.{quiet}"
    yield ""
    yield "| Data group: item | Table | Key | Entity | Held | Columns |"
    yield "|---|---|---|---|---|---|"
    entities = {(mapping.source, mapping.table): mapping.entity for mapping in catalog.mappings}
    for name, table in model.tables.items():
        entity = entities[model.source.lower(), name.lower()]
        key = ", ".join(f"`{column}`" for column in table.key)
        columns = ", ".join(_column(column, each, table) for column, each in table.columns.items())
        told = "<br>".join([held(table), *(f"also {_view(view)}" for view in table.also)])
        yield f"| {_item(table)} | `{name}` | {key} | {entity} | {told} | {columns} |"
    yield ""


def _item(table: TableModel) -> str:
    named = "、".join(table.seed) or table.title
    return f"{table.group}: {named}" if table.group and table.group != named else named


def held(table: TableModel) -> str:
    """Say in a word or two who holds a table's rows."""
    kinds = []
    if table.instance is not None and table.is_tracked:
        kinds.append(f"state (`{table.instance.column}`{' if set' if table.instance.optional else ''})")
    if table.is_reference or (table.is_reference is None and table.instance is None):
        kinds.append("look-up")
    return ", ".join(kinds) or "checked"


def _view(view: ViewModel) -> str:
    notes = [f"of {', '.join(view.of)}"] if view.of else []
    notes += [f"`{name}`: {', '.join(map(str, values))}" for name, values in view.when.items()]
    notes += [f"`{name}` as {field}" for name, field in view.columns.items() if field]
    return f"{view.entity} (`{view.instance}`)" + (f": {'; '.join(notes)}" if notes else "")


def _column(name: str, column: ColumnModel, table: TableModel) -> str:
    notes: list[str] = [] if column.type == "text" else [column.type]
    notes += [column.title] if column.title else []
    notes += [f"codes {column.codes.list}"] if column.codes else []
    notes += [f"also {kind}: `{field}`" for kind, field in column.also.fields.items()] if column.also else []
    notes += [] if column.is_kept else ["not kept"]
    notes += [f"→ `{table.joins[name]}`"] if name in table.joins else []
    return f"`{name}`" + (f" ({', '.join(notes)})" if notes else "")
