"""What counts of a thing that several sources tell of, where another source than its own row's is believed in a field.

An entity is fed by one source; rows of the others stand beside it as `entity@source` (`connectors.precedence`). A field
of an order of its own may be believed of one of these first: then what that row says there, if it is not null, counts
instead of what the own row says, whichever came first. Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rules.state import Instance, Row
from schemas import WireValue

Order = Mapping[str, tuple[str, ...]]
"""Field to the entities (`negative_item@mkt`) whose rows are believed before the own row, the most believed first."""
Believed = Mapping[str, Order]
"""Entity to the orders of its fields, of those alone that differ from the entity's."""
NOBODY: Believed = {}
"""One source feeds all fields of an entity."""


def said_elsewhere(order: Order, rows_of: Callable[[str], Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """Give the fields in which rows that are believed first say something; `rows_of` gives an entity's rows."""
    found: dict[str, Any] = {}
    for field, entities in order.items():
        said = (row.get(field) for entity in entities for row in rows_of(entity))
        value = next((value for value in said if value is not None), None)
        if value is not None:
            found[field] = value
    return found


def own_fields(row: Row) -> dict[str, WireValue]:
    """Give what a row itself says, whoever else is believed."""
    return row.fields if row.told is None else row.told


def take_apart(row: Row) -> None:
    """Let a row say what it says itself, before a change of it is applied."""
    if row.told is not None:
        row.fields, row.told = row.told, None


def put_together(instance: Instance, order: Order) -> bool:
    """Let the instance's own row say what counts; False if that is what it said."""
    main = instance.main
    if main is None:
        return False
    others = sorted((instance.others or {}).items())

    def rows_of(entity: str) -> Iterable[Mapping[str, Any]]:
        return (row.fields for name, row in others if name.startswith(f"{entity}:") and not row.is_deleted)

    was = main.fields
    take_apart(main)
    said = said_elsewhere(order, rows_of)
    if said:
        main.fields, main.told = {**main.fields, **said}, main.fields
    return main.fields != was
