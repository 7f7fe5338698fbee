"""The captured tables that are declared, and the mapping of each topic.

Reads `connectors/sources/*.yaml` (and the folders of the `sources` setting); called at start by the front door.
Every fault of every file is reported at once, with its place. Nothing here touches Kafka.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from pydantic import ValidationError

from connectors.codes import CodeFile, code_faults, lists_of, standard_lists
from connectors.dialect_models import DialectModel, format_of
from connectors.health import span_ms
from connectors.precedence import Precedence, believed_first, entity_of, read_precedence, tellings
from connectors.source_models import CodeListModel, CodeListsModel, ColumnModel, SourceModel, TableModel
from connectors.views import Told, is_followed, view_faults, with_views
from schemas import (
    VISIT_TYPES,
    Column,
    DefinitionError,
    Fault,
    Places,
    SchemaOf,
    TableMapping,
    load_model,
)
from schemas.codes import CodeList

SHIPPED_SOURCES = Path(__file__).parent / "sources"
"""The folder of the sources that come with the product."""

_SAYS_CODES = re.compile(rb"^(?:\xef\xbb\xbf)?version:[ \t]*['\"]?codes/", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One source file as read: its model and where its parts stand."""

    file: str
    model: SourceModel
    places: Places


class SourceCatalog:
    """All captured tables by topic. Topics, tables and columns are matched without regard to case."""

    def __init__(
        self, mappings: Iterable[TableMapping], files: Sequence[SourceFile] = (), precedence: Precedence | None = None
    ) -> None:
        self.mappings = tuple(mappings)
        self.files = tuple(files)
        self.precedence = precedence or {}
        self.warnings: tuple[str, ...] = ()
        """What was said to `load_sources` and means nothing; a sentence each."""
        self.schema_of: SchemaOf | None = None
        """Where Avro schemas are; the front door sets it from its settings."""
        self._by_topic = {mapping.topic.lower(): mapping for mapping in self.mappings}

    def mapping_for(self, topic: str) -> TableMapping | None:
        """Give the mapping of a topic; None if no source declares it."""
        return self._by_topic.get(topic) or self._by_topic.get(topic.lower())

    @property
    def topics(self) -> tuple[str, ...]:
        """The declared topics, sorted."""
        return tuple(sorted(mapping.topic for mapping in self.mappings))

    @property
    def views(self) -> tuple[TableMapping, ...]:
        """All that the tables tell: each table's own view, then its further ones."""
        return tuple(view for mapping in self.mappings for view in (mapping, *mapping.also))

    @property
    def believed(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """By entity and field the rows beside that are believed before its own: `connectors.precedence`."""
        return believed_first(self.precedence, {(view.entity, view.source) for view in self.views})

    def told(self, entities: Collection[str]) -> "SourceCatalog":
        """Give the catalog with the further views alone that belong to instances of these entities."""
        return self._with_views(lambda each: is_followed(each, entities))

    def _with_views(self, is_told: Callable[[TableMapping], object]) -> "SourceCatalog":
        mappings = [
            msgspec.structs.replace(mapping, also=tuple(each for each in mapping.also if is_told(each)))
            for mapping in self.mappings
        ]
        catalog = SourceCatalog(mappings, self.files, self.precedence)
        catalog.warnings, catalog.schema_of = self.warnings, self.schema_of
        return catalog

    def captured(self, topics: Iterable[str]) -> "SourceCatalog":
        """Give the catalog as it is where only these topics are captured: without views that live on others."""
        tables = {mapping.table for topic in topics if (mapping := self.mapping_for(topic)) is not None}
        return self._with_views(lambda each: each.view is None or not each.view.beside or each.view.beside & tables)

    def vocabulary(self) -> dict[str, frozenset[str]]:
        """Give the entities that the tables feed, each with the names of its fields."""
        found: dict[str, set[str]] = {}
        for mapping in self.views:
            names = {column.name for column in mapping.columns.values() if column.is_kept}
            names.update(name for column in mapping.columns.values() for name in column.also.values())
            found.setdefault(mapping.entity, set()).update(names, mapping.constants)
        return {entity: frozenset(names) for entity, names in found.items()}

    def rhythms(self) -> dict[str, float]:
        """Give per source its longest normal silence, seconds; a source that declares none is left out."""
        spans = {file.model.source.lower(): span_ms(file.model.quiet_after) for file in self.files}
        return {source: ms / 1000 for source, ms in spans.items() if ms is not None}

    def known_codes(self) -> dict[str, dict[str, frozenset[str]]]:
        """Give per entity the fields that are written in a code list, with its standard codes."""
        found: dict[str, dict[str, frozenset[str]]] = {}
        for mapping in self.views:
            for column in mapping.columns.values():
                if column.codes is not None and column.is_kept:
                    found.setdefault(mapping.entity, {})[column.name] = frozenset(column.codes.standard)
        return found

    def entities(self, *, reference: bool) -> frozenset[str]:
        """Give the entities of reference tables (or of tables that belong to instances)."""
        if reference:
            return frozenset(mapping.entity for mapping in self.mappings if mapping.is_reference)
        return frozenset(mapping.entity for mapping in self.views if mapping.instance is not None)


def load_sources(
    folders: Sequence[Path],
    dialects: Mapping[str, object] | None = None,
    precedence: Mapping[str, object] | None = None,
) -> SourceCatalog:
    """Read all source files of the folders (a path may also be one file), and the code lists beside them.

    `dialects` is the setting of that name: topic pattern (`cdc.mkt.*`) to what overrules the sources' own
    declarations; where several patterns match, the longest wins. `precedence`, too: which source is believed, see
    `connectors.precedence`. Raises `DefinitionError` with every fault.
    """
    faults: list[Fault] = []
    overrules = _read_dialects(dialects or {}, faults)
    files: list[SourceFile] = []
    code_files: list[CodeFile] = []
    for path in _yaml_files(folders, faults):
        try:
            _read_file(path, files, code_files)
        except DefinitionError as error:
            faults.extend(error.faults)
        except OSError as error:
            faults.append(Fault(str(path), 1, 1, f"cannot be read: {error.strerror}"))
    models = [file.model for file in files]
    order = read_precedence(precedence or {}, {model.source.lower() for model in models}, tellings(models), faults)
    standard = standard_lists(code_files, faults) if code_files else _shipped_lists()
    mappings = list(_mappings(files, _Context(overrules, order, standard), faults))
    told = Told(mappings, shipped=lambda: _shipped_tables(folders))
    topics = iter([mapping.topic for mapping in mappings])
    for file in files:
        for name, table in file.model.tables.items():
            faults.extend(told.faults(file.places, ("tables", name), table, next(topics)))
    if faults:
        raise DefinitionError(faults)
    catalog = SourceCatalog(mappings, files, order)
    catalog.warnings = tuple(_pointless(dialects or {}, catalog.topics))
    return catalog


def _read_file(path: Path, files: list[SourceFile], code_files: list[CodeFile]) -> None:
    text = path.read_bytes()
    if _SAYS_CODES.search(text):
        lists, places = load_model(CodeListsModel, text, str(path))
        code_files.append(CodeFile(str(path), lists, places))
    else:
        model, places = load_model(SourceModel, text, str(path))
        files.append(SourceFile(str(path), model, places))


def _shipped_lists() -> dict[str, CodeListModel]:
    """Give the standard lists that come with the product, for sources that bring none of their own."""
    path = SHIPPED_SOURCES / "codes.yaml"
    return load_model(CodeListsModel, path.read_bytes(), str(path))[0].lists


def _shipped_tables(folders: Sequence[Path]) -> tuple[TableMapping, ...]:
    """Give the tables that come with the product; none while these themselves are read."""
    return () if list(folders) == [SHIPPED_SOURCES] else load_sources([SHIPPED_SOURCES]).mappings


def shipped_entities() -> frozenset[str]:
    """Give the entities that the shipped sources feed: names that mean something, whether a rule reads them or not."""
    return frozenset(mapping.entity.partition("@")[0] for mapping in load_sources([SHIPPED_SOURCES]).views)


def check_source(text: str | bytes, file: str) -> list[Fault]:
    """Give every fault of one source file, for `stagewatch check`; `file` is only used in messages."""
    faults: list[Fault] = []
    try:
        model, places = load_model(SourceModel, text, file)
    except DefinitionError as error:
        return error.faults
    list(_mappings([SourceFile(file, model, places)], _Context([], {}, _shipped_lists()), faults))
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


def _pointless(patterns: Iterable[str], topics: Sequence[str]) -> Iterable[str]:
    """Give a warning for each pattern of the setting `dialects` that no declared topic matches."""
    for pattern in patterns:
        if not any(fnmatchcase(topic.lower(), pattern.lower()) for topic in topics):
            near = get_close_matches(pattern.lower(), [*_prefixes(topics), *topics], n=3)
            hint = f"; near are {', '.join(near)}" if near else ""
            yield f"setting `dialects`: no declared topic matches '{pattern}', so it changes nothing{hint}"


def _prefixes(topics: Iterable[str]) -> list[str]:
    """Give the pattern of each source's topics, as people write it: `cdc.mkt.*`."""
    return sorted({f"{topic.rpartition('.')[0]}.*" for topic in topics})


@dataclass(frozen=True, slots=True)
class _Context:
    """What all source files are read under."""

    overrules: list[tuple[str, DialectModel]]
    precedence: Precedence
    standard: Mapping[str, CodeListModel]


def _mappings(files: Sequence[SourceFile], context: _Context, faults: list[Fault]) -> Iterable[TableMapping]:
    """Give the mapping of every table; adds a fault for a topic of two tables and for what a dialect lacks."""
    seen: dict[str, str] = {}
    fed = {entity: each.sources for entity, each in tellings(file.model for file in files).items()}
    for file in files:
        faults.extend(code_faults(file.model, context.standard, file.places))
        codes = lists_of(file.model, context.standard)
        for name, table in file.model.tables.items():
            source = file.model.source.lower()
            entity = entity_of(table.entity, source, context.precedence, fed.get(table.entity, ()))
            mapping = _overruled(_mapping(file.model, name, table, entity=entity, codes=codes), context.overrules)
            path = ("tables", name)
            faults.extend(_undeclared(file.places, path, table))
            faults.extend(_mistyped(file.places, path, table))
            wrong = list(view_faults(file.places, path, table))
            faults.extend(wrong)
            if not wrong:
                told = {view.entity for view in table.also}
                named = {each: entity_of(each, source, context.precedence, fed[each]) for each in told}
                mapping = with_views(mapping, table, named)
            where = f"{file.file}: {name}"
            other = seen.setdefault(mapping.topic.lower(), where)
            if other != where:
                message = f"topic '{mapping.topic}' is declared twice, here and in {other}"
                faults.append(file.places.fault(path, message, key=True))
            faults.extend(_undecodable(file.places, path, table, mapping))
            yield mapping


def _undecodable(
    places: Places, path: tuple[str | int, ...], table: TableModel, mapping: TableMapping
) -> Iterable[Fault]:
    """Give what the dialect needs to know and nobody says."""
    if mapping.dialect == "ogg-delimited" and not mapping.format.columns:
        message = f"'{mapping.topic}' is ogg-delimited: list every column in order, `format: {{columns: [...]}}`"
        yield places.fault(path, message, key=True)
    if mapping.format.decimal == "base64":
        for name, column in table.columns.items():
            if column.type == "decimal" and column.scale is None:
                yield places.fault((*path, "columns", name), f"'{name}' is written as bytes: it needs its `scale`")


def _undeclared(places: Places, path: tuple[str | int, ...], table: TableModel) -> Iterable[Fault]:
    """Give the columns of key, instance, joins and dated codes that the table does not declare, or does not keep.

    A key column need not be declared, it may come from the record's key; but one almost like a declared column
    is a typing error.
    """
    declared = sorted(column.lower() for column in table.columns)
    keys = {name.lower() for name in table.key}
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("key", index), name) for index, name in enumerate(table.key) if _is_like(name.lower(), declared)
    ]
    if table.instance is not None:
        named.append((("instance",), table.instance.column))
    named += [(("joins", name), name) for name in table.joins if name.lower() not in keys]
    named += [
        (("columns", name, "codes", "by"), c.codes.by) for name, c in table.columns.items() if c.codes and c.codes.by
    ]
    named += [(("columns", name, "also", "column"), c.also.column) for name, c in table.columns.items() if c.also]
    yield from _unkept(places, path, table, {name.lower() for _, name in named})
    for part, name in named:
        if name.lower() not in declared:
            near = get_close_matches(name.lower(), declared, n=3)
            listed = ", ".join([*near, *(column for column in declared if column not in near)])
            yield places.fault((*path, *part), f"no column '{name}' in this table; known are {listed}")


def _unkept(places: Places, path: tuple[str | int, ...], table: TableModel, needed: Collection[str]) -> Iterable[Fault]:
    for name, column in table.columns.items():
        if not column.is_kept and name.lower() in needed:
            yield places.fault((*path, "columns", name), f"'{name}' is needed to read the row; it must be kept")


def _mistyped(places: Places, path: tuple[str | int, ...], table: TableModel) -> Iterable[Fault]:
    """Give the columns that feed a field of a stage's visit with something that it cannot hold."""
    for name, column in table.columns.items() if table.entity == "visit" else ():
        wanted = VISIT_TYPES.get(column.field or name.lower())
        if wanted is not None and column.type not in wanted:
            what = f"'{column.field or name.lower()}' of a visit is {' or '.join(sorted(wanted))}, not {column.type}"
            yield places.fault((*path, "columns", name), what)


def _is_like(name: str, declared: Sequence[str]) -> bool:
    return bool(get_close_matches(name, declared, n=1, cutoff=0.8))


def _mapping(
    source: SourceModel, name: str, table: TableModel, *, entity: str, codes: Mapping[str, CodeList]
) -> TableMapping:
    lowered, instance = name.lower(), table.instance if table.is_tracked else None
    return TableMapping(
        source=source.source.lower(),
        table=lowered,
        topic=table.topic or source.topic.format(source=source.source.lower(), table=lowered),
        entity=entity,
        key=tuple(column.lower() for column in table.key),
        instance=instance.column.lower() if instance else None,
        is_instance_optional=instance is not None and instance.optional,
        is_reference=table.instance is None if table.is_reference is None else table.is_reference,
        message_key=table.message_key,
        key_form=_key_form(table),
        columns={column.lower(): _column(column.lower(), model, codes) for column, model in table.columns.items()},
        constants=dict(table.constants),
        dialect=source.dialect,
        timestamp_unit=table.timestamp_unit or source.timestamp_unit,
        column_timezone=source.column_timezone,
        op_ts_timezone=source.op_ts_timezone,
        format=format_of((source.format, table.format)),
    )


def _column(name: str, model: ColumnModel, codes: Mapping[str, CodeList]) -> Column:
    return Column(
        name=model.field or name,
        type=model.type,
        scale=model.scale or 0,
        codes=codes.get(model.codes.list) if model.codes else None,
        codes_by=(model.codes.by or "").lower() if model.codes else "",
        is_kept=model.is_kept,
        also_by=model.also.column.lower() if model.also else "",
        also=model.also.fields if model.also else {},
    )


def _key_form(table: TableModel) -> bytes:
    """Give how an instance's number stands in a message key: as Kafka Connect's JSON converter writes it, or bare."""
    if table.message_key != "json" or table.instance is None:
        return b"%b"
    return b'{"%b":"%%b"}' % table.instance.column.encode()


def _overruled(mapping: TableMapping, overrules: list[tuple[str, DialectModel]]) -> TableMapping:
    for pattern, setting in overrules:
        if fnmatchcase(mapping.topic.lower(), pattern):
            said = setting.model_dump(exclude={"format"}, exclude_none=True)
            mapping = msgspec.structs.replace(mapping, format=format_of([setting.format], mapping.format), **said)
    return mapping
