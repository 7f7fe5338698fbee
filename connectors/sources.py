"""The captured tables that are declared, and the mapping of each topic.

Reads `connectors/sources/*.yaml` (and the folders of the `sources` setting); called at start by the front door.
Every fault of every file is reported at once, with its place. Nothing here touches Kafka.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from pydantic import ValidationError

from connectors.source_models import DialectModel, SourceModel, TableModel
from schemas import (
    SUPPORTED_DIALECTS,
    VISIT_TYPES,
    Column,
    DefinitionError,
    Fault,
    Places,
    TableMapping,
    load_model,
)

SHIPPED_SOURCES = Path(__file__).parent / "sources"
"""The folder of the sources that come with the product."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One source file as read: its model and where its parts stand."""

    file: str
    model: SourceModel
    places: Places


class SourceCatalog:
    """All captured tables by topic. Topics, tables and columns are matched without regard to case."""

    def __init__(self, mappings: Iterable[TableMapping], files: Sequence[SourceFile] = ()) -> None:
        self.mappings = tuple(mappings)
        self.files = tuple(files)
        self._by_topic = {mapping.topic.lower(): mapping for mapping in self.mappings}

    def mapping_for(self, topic: str) -> TableMapping | None:
        """Give the mapping of a topic; None if no source declares it."""
        return self._by_topic.get(topic) or self._by_topic.get(topic.lower())

    @property
    def topics(self) -> tuple[str, ...]:
        """The declared topics, sorted."""
        return tuple(sorted(mapping.topic for mapping in self.mappings))

    def vocabulary(self) -> dict[str, frozenset[str]]:
        """Give the entities that the tables feed, each with the names of its fields."""
        found: dict[str, set[str]] = {}
        for mapping in self.mappings:
            names = {column.name for column in mapping.columns.values()}
            found.setdefault(mapping.entity, set()).update(names, mapping.constants)
        return {entity: frozenset(names) for entity, names in found.items()}

    def entities(self, *, reference: bool) -> frozenset[str]:
        """Give the entities of reference tables (or of tables that belong to instances)."""
        if reference:
            return frozenset(mapping.entity for mapping in self.mappings if mapping.is_reference)
        return frozenset(mapping.entity for mapping in self.mappings if mapping.instance is not None)


def load_sources(folders: Sequence[Path], dialects: Mapping[str, object] | None = None) -> SourceCatalog:
    """Read all source files of the folders (a path may also be one file).

    `dialects` is the setting of that name: topic pattern (`cdc.mkt.*`) to what overrules the sources' own
    declarations; where several patterns match, the longest wins. Raises `DefinitionError` with every fault.
    """
    faults: list[Fault] = []
    overrules = _read_dialects(dialects or {}, faults)
    files: list[SourceFile] = []
    for path in _yaml_files(folders, faults):
        try:
            model, places = load_model(SourceModel, path.read_bytes(), str(path))
            files.append(SourceFile(str(path), model, places))
        except DefinitionError as error:
            faults.extend(error.faults)
        except OSError as error:
            faults.append(Fault(str(path), 1, 1, f"cannot be read: {error.strerror}"))
    mappings = list(_mappings(files, overrules, faults))
    if faults:
        raise DefinitionError(faults)
    return SourceCatalog(mappings, files)


def check_source(text: str | bytes, file: str) -> list[Fault]:
    """Give every fault of one source file, for `stagewatch check`; `file` is only used in messages."""
    faults: list[Fault] = []
    try:
        model, places = load_model(SourceModel, text, file)
    except DefinitionError as error:
        return error.faults
    list(_mappings([SourceFile(file, model, places)], [], faults))
    return faults


def _yaml_files(folders: Sequence[Path], faults: list[Fault]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            files += sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
        elif folder.is_file():
            files.append(folder)
        else:
            faults.append(Fault(str(folder), 1, 1, "no such file or folder"))
    return files


def _read_dialects(dialects: Mapping[str, object], faults: list[Fault]) -> list[tuple[str, DialectModel]]:
    """Give the overruling patterns in lower case, the longest last, so that it is applied last."""
    overrules = []
    for pattern, setting in dialects.items():
        try:
            overrules.append((pattern.lower(), DialectModel.model_validate(setting)))
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                place = ".".join(map(str, ("dialects", pattern, *item["loc"])))
                faults.append(Fault("settings", 1, 1, f"{place}: {item['msg'].removeprefix('Value error, ')}"))
    return sorted(overrules, key=lambda overrule: len(overrule[0]))


def _mappings(
    files: Sequence[SourceFile], overrules: list[tuple[str, DialectModel]], faults: list[Fault]
) -> Iterable[TableMapping]:
    """Give the mapping of every table; adds a fault for a topic of two tables and for a dialect not decoded yet."""
    seen: dict[str, str] = {}
    for file in files:
        for name, table in file.model.tables.items():
            mapping = _overruled(_mapping(file.model, name, table), overrules)
            path = ("tables", name)
            faults.extend(_undeclared(file.places, path, table))
            faults.extend(_mistyped(file.places, path, table))
            where = f"{file.file}: {name}"
            other = seen.setdefault(mapping.topic.lower(), where)
            if other != where:
                message = f"topic '{mapping.topic}' is declared twice, here and in {other}"
                faults.append(file.places.fault(path, message, key=True))
            if mapping.dialect not in SUPPORTED_DIALECTS:
                known = ", ".join(sorted(SUPPORTED_DIALECTS))
                message = f"'{mapping.topic}': dialect '{mapping.dialect}' cannot be decoded yet; known: {known}"
                faults.append(file.places.fault(("dialect",), message))
            yield mapping


def _undeclared(places: Places, path: tuple[str | int, ...], table: TableModel) -> Iterable[Fault]:
    """Give the columns of key and instance that the table does not declare.

    A key column need not be declared, it may come from the record's key; but one almost like a declared column
    is a typing error.
    """
    declared = sorted(column.lower() for column in table.columns)
    named = [(("key", index), name) for index, name in enumerate(table.key) if _is_like(name.lower(), declared)]
    for part, name in [*named, *([(("instance",), table.instance)] if table.instance else [])]:
        if name.lower() not in declared:
            near = get_close_matches(name.lower(), declared, n=3)
            listed = ", ".join([*near, *(column for column in declared if column not in near)])
            yield places.fault((*path, *part), f"no column '{name}' in this table; known are {listed}")


def _mistyped(places: Places, path: tuple[str | int, ...], table: TableModel) -> Iterable[Fault]:
    """Give the columns that feed a field of a stage's visit with something that it cannot hold."""
    for name, column in table.columns.items() if table.entity == "visit" else ():
        wanted = VISIT_TYPES.get(column.field or name.lower())
        if wanted is not None and column.type not in wanted:
            what = f"'{column.field or name.lower()}' of a visit is {' or '.join(sorted(wanted))}, not {column.type}"
            yield places.fault((*path, "columns", name), what)


def _is_like(name: str, declared: Sequence[str]) -> bool:
    return bool(get_close_matches(name, declared, n=1, cutoff=0.8))


def _mapping(source: SourceModel, name: str, table: TableModel) -> TableMapping:
    lowered = name.lower()
    return TableMapping(
        source=source.source.lower(),
        table=lowered,
        topic=table.topic or source.topic.format(source=source.source.lower(), table=lowered),
        entity=table.entity,
        key=tuple(column.lower() for column in table.key),
        instance=table.instance.lower() if table.instance else None,
        is_reference=table.instance is None if table.is_reference is None else table.is_reference,
        message_key=table.message_key,
        key_form=_key_form(table),
        columns={
            column.lower(): Column(model.field or column.lower(), model.type) for column, model in table.columns.items()
        },
        constants=dict(table.constants),
        dialect=source.dialect,
        timestamp_unit=table.timestamp_unit or source.timestamp_unit,
        column_timezone=source.column_timezone,
        op_ts_timezone=source.op_ts_timezone,
    )


def _key_form(table: TableModel) -> bytes:
    """Give how an instance's number stands in a message key: as Kafka Connect's JSON converter writes it, or bare."""
    return b'{"%b":"%%b"}' % str(table.instance).encode() if table.message_key == "json" else b"%b"


def _overruled(mapping: TableMapping, overrules: list[tuple[str, DialectModel]]) -> TableMapping:
    for pattern, setting in overrules:
        if fnmatchcase(mapping.topic.lower(), pattern):
            said = {name: value for name, value in setting.model_dump().items() if value is not None}
            mapping = msgspec.structs.replace(mapping, **said)
    return mapping
