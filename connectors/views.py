"""Further views of a table's rows (`also:` in source files): checked, and compiled from the table's own mapping.

Called by `connectors.sources`. What a view must not be is said here, at the place where it stands.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

import msgspec

from connectors.source_models import TableModel, ViewModel
from schemas import VISIT_TYPES, Column, Fault, Places, TableMapping, View

Path = tuple[str | int, ...]


def with_views(own: TableMapping, table: TableModel, entities: Mapping[str, str]) -> TableMapping:
    """Give a table's mapping with its further views; `entities`: what each view's entity is called here."""
    return msgspec.structs.replace(
        own, also=tuple(view_mapping(own, each, entities[each.entity]) for each in table.also)
    )


def is_followed(view: TableMapping, entities: Collection[str]) -> bool:
    """Tell whether a further view belongs to instances of one of the entities."""
    return view.view is not None and any(name in entities for name in view.view.of)


def view_mapping(own: TableMapping, view: ViewModel, entity: str) -> TableMapping:
    """Give a view's mapping; `own` is its table's, with all that the settings overrule."""
    where = View(
        instance=_lower(view.instance_columns),
        prefix=view.prefix,
        row=_lower(view.row),
        when={column.lower(): frozenset(values) for column, values in view.when.items()},
        of=tuple(view.of) or (view.entity,),
        is_lasting=view.is_lasting,
        beside=frozenset(_lower(view.beside)),
    )
    return msgspec.structs.replace(
        own,
        entity=entity,
        instance=where.instance[0],
        is_instance_optional=True,
        is_reference=False,
        message_key="row",
        key_form=b"%b",
        columns=_columns(own, view, where),
        constants={**own.constants, **view.constants},
        view=where,
        also=(),
    )


def _columns(own: TableMapping, view: ViewModel, where: View) -> dict[str, Column]:
    """Give the columns that a view keeps, under its own fields, and those that say where a row belongs."""
    if not view.columns:
        return {n: _kept(c, None) for n, c in own.columns.items() if c.is_kept or n in where.columns}
    fields = {name.lower(): field for name, field in view.columns.items()}
    dated = {column.codes_by for name, column in own.columns.items() if name in fields}
    return {
        name: _kept(column, fields.get(name))
        for name, column in own.columns.items()
        if name in fields or name in where.columns or name in own.key or name in dated
    }


def _kept(column: Column, field: str | None) -> Column:
    return msgspec.structs.replace(column, name=field or column.name, is_kept=True)


def view_faults(places: Places, path: Path, table: TableModel) -> Iterable[Fault]:
    """Give what is wrong with a table's views, each with its place."""
    declared = {name.lower(): column for name, column in table.columns.items()}
    for index, view in enumerate(table.also):
        where = (*path, "also", index)
        for part, name in _named(view):
            if name.lower() not in declared:
                near = get_close_matches(name.lower(), declared, n=3)
                listed = ", ".join([*near, *sorted(declared.keys() - set(near))])
                yield places.fault((*where, *part), f"no column '{name}' in this table; known are {listed}")
        fields = {column: declared[column].field or column for column in declared}
        fields |= {name.lower(): field for name, field in view.columns.items() if field}
        yield from _twice(places, where, view, fields)
        if view.entity == "visit":
            yield from _mistyped(places, where, view, table)


def _named(view: ViewModel) -> Iterable[tuple[Path, str]]:
    yield from ((("instance",), name) for name in view.instance_columns)
    yield from ((("when", name), name) for name in view.when)
    yield from ((("row", index), name) for index, name in enumerate(view.row))
    yield from ((("columns",), name) for name in view.columns)


def _twice(places: Places, where: Path, view: ViewModel, fields: Mapping[str, str]) -> Iterable[Fault]:
    named = [fields[name] for name in {name.lower() for name in view.columns} if name in fields]
    for field in sorted({field for field in named if named.count(field) > 1}):
        yield places.fault(where, f"field '{field}' is fed by two columns")


def _mistyped(places: Places, where: Path, view: ViewModel, table: TableModel) -> Iterable[Fault]:
    """Give the columns that feed a field of a stage's visit with something that it cannot hold."""
    types = {name.lower(): column.type for name, column in table.columns.items()}
    for name, field in view.columns.items():
        wanted = VISIT_TYPES.get(field or name.lower())
        if wanted is not None and types.get(name.lower(), "text") not in wanted:
            what = f"'{field or name.lower()}' of a visit is {' or '.join(sorted(wanted))}, not {types[name.lower()]}"
            yield places.fault((*where, "columns"), what)


class Told:
    """What all tables together tell, by which one view is checked against the others."""

    def __init__(self, mappings: Iterable[TableMapping], shipped: Callable[[], Iterable[TableMapping]]) -> None:
        """Gather it; `shipped` gives the tables that come with the product, whose names mean something anywhere."""
        tables = list(mappings)
        views = [view for table in tables for view in table.also]
        self._shipped = shipped
        self._tables = {table.table for table in tables}
        self._entities = {mapping.entity for mapping in (*tables, *views)}
        self._held = {table.entity for table in tables if table.is_reference}
        self._own_rows = {name for view in views if view.view is not None for name in view.view.of}
        forms = {table.instance_kind: table.key_form for table in tables if table.message_key != "row"}
        self._mixed = {(table.topic, name) for table in tables for name in _mixed(table, forms)}

    def faults(self, places: Places, path: Path, table: TableModel, topic: str) -> Iterable[Fault]:
        """Give the views of a table that follow rows which nobody tells, or would be taken for something else."""
        for index, view in enumerate(table.also):
            where = (*path, "also", index)
            for name in view.of:
                if name not in self._entities and not self._is_shipped(name):
                    near = get_close_matches(name, self._entities, n=3)
                    hint = f"; near are {', '.join(near)}" if near else ""
                    yield places.fault((*where, "of"), f"no table or view tells the entity '{name}'{hint}")
            for name in view.beside:
                if name.lower() not in self._tables and not self._is_shipped(name.lower()):
                    near = get_close_matches(name.lower(), self._tables, n=3)
                    yield places.fault((*where, "beside"), f"no table '{name}'; near are {', '.join(near) or 'none'}")
            if view.entity in self._held:
                message = f"'{view.entity}' is a look-up that every worker holds: give the view another entity"
                yield places.fault((*where, "entity"), message)
            if (topic, view.entity) in self._mixed:
                message = (
                    f"rows of '{view.entity}' belong to instances of two kinds, and one is the key of messages "
                    "elsewhere: which partition a row belongs to could not be told. Give this view an entity of its own"
                )
                yield places.fault((*where, "entity"), message)
            if view.of and view.entity not in view.of and view.entity in self._own_rows:
                message = f"a row of '{view.entity}' is an instance itself: give this view an entity of its own"
                yield places.fault((*where, "entity"), message)

    def _is_shipped(self, name: str) -> bool:
        """Tell whether an entity or a table comes with the product: its source need not be connected here."""
        return any(name in (view.entity, view.table) for table in self._shipped() for view in (table, *table.also))


def _mixed(table: TableMapping, forms: Mapping[str, bytes]) -> set[str]:
    """Give the entities of a table's views whose instances are spread over the partitions in two ways."""
    ways: dict[str, bytes] = {}
    found = set()
    for view in (table, *table.also):
        if view.instance is not None:
            way = forms.get(view.instance_kind, b"%b")
            if ways.setdefault(view.entity, way) != way:
                found.add(view.entity)
    return found


def _lower(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)
