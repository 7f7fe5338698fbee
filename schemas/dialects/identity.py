"""Which row a change is about, and whose: from the row's image, and where that lacks it, from the record's key."""

from collections.abc import Callable

from schemas.change import Op, Value
from schemas.errors import BadInput
from schemas.mapping import TableMapping
from schemas.table import Table

Columns = tuple[dict[str, Value], dict[str, Value]]
"""Fields, and key columns that are not mapped: what `Table.read` gives."""


def identify(
    mapping: TableMapping, table: Table, read: Columns, op: Op, read_key: Callable[[], Columns]
) -> tuple[str, str]:
    """Give row key and instance; `read_key` is asked only where the image lacks one of them.

    A delete may leave the instance open (""). Raises `BadInput` where the row or its instance cannot be told.
    """
    row, instance = table.row_key(*read), table.instance(*read)
    if row is not None and instance is not None:
        return row, instance
    key_fields, key_extra = read_key()
    known = {name: value for name, value in read[0].items() if value is not None}
    fields = {**{name: value for name, value in key_fields.items() if name not in mapping.constants}, **known}
    extra = {**key_extra, **read[1]}
    row = table.row_key(fields, extra) if row is None else row
    instance = table.instance(fields, extra) if instance is None else instance
    if row is None:
        raise BadInput("missing-key", ", ".join(mapping.key))
    if instance is None and op != "d":
        raise BadInput("missing-key", f"{mapping.instance}, the instance")
    return row, instance or ""
