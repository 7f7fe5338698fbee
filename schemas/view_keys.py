"""Where a row belongs in a further view of its table: instance, row key, and whether it is told there at all.

Compiled once per view; asked by `schemas.table` for every record that goes the long way, and by `schemas.whole_rows`.
"""

from collections.abc import Callable, Collection, Mapping

from schemas.change import Value
from schemas.errors import BadInput
from schemas.mapping import TableMapping, View

Test = Callable[[Mapping[str, Value]], bool]


class ViewKeys:
    """One view, by the fields that its columns feed."""

    def __init__(self, mapping: TableMapping, view: View, to_text: Callable[[Value], str | None]) -> None:
        """Compile; `to_text` writes one part of a key."""
        columns = mapping.columns
        self._prefix, self._to_text = view.prefix, to_text
        self._instance = tuple(columns[name].name for name in view.instance)
        self._row = tuple(columns[name].name for name in view.row)
        self._when = tuple((columns[name].name, wanted) for name, wanted in view.when.items())
        self.has_row = bool(view.row)

    def instance(self, fields: Mapping[str, Value]) -> str | None:
        """Give the instance key: "" for a row that is not told here; None if the fields do not say which.

        Raises `BadInput` for a key that begins like one of our own records.
        """
        for name, wanted in self._when:
            if name not in fields:
                return None
            if fields[name] not in wanted:
                return ""
        parts = []
        for name in self._instance:
            if name not in fields:
                return None
            part = self._to_text(fields[name])
            if not part:
                return ""
            parts.append(part)
        key = self._prefix + joined(parts, ":")
        if key[0] == "\0":
            raise BadInput("wrong-type", f"{self._instance[0]} begins with a zero byte")
        return key

    def row(self, fields: Mapping[str, Value]) -> str | None:
        """Give the row's key by the view's own columns; None if one is missing or null."""
        parts = [part for name in self._row if (part := self._to_text(fields.get(name))) is not None]
        return joined(parts, "|") if len(parts) == len(self._row) else None


def joined(parts: Collection[str], mark: str) -> str:
    """Join the parts of a key so that they can be told apart again; one part stands as it is."""
    if len(parts) == 1:
        return next(iter(parts))
    return mark.join(part.replace("\\", "\\\\").replace(mark, f"\\{mark}") for part in parts)


def condition(mapping: TableMapping, view: View) -> Test | None:
    """Give the test of a view's `when` over fields; None where every row is told."""
    tests = [(mapping.columns[name].name, wanted) for name, wanted in view.when.items()]
    if not tests:
        return None
    if len(tests) == 1:
        field, wanted = tests[0]
        return lambda fields: fields[field] in wanted
    return lambda fields: all(fields[field] in wanted for field, wanted in tests)
