"""What a computation is: a named pure function over the rows of an instance, with what it reads and its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from rules.engine.rows import Found, Rows, SubjectRow

Bound = Callable[[Rows, SubjectRow], Found | None]
"""A computation with its parameters filled in."""


@dataclass(frozen=True, slots=True)
class Computation:
    """One named computation."""

    name: str
    function: Callable[..., Found | None]
    reads: Mapping[str, tuple[str, ...]]
    """Entity -> its fields; a change of anything else does not make it judge again."""
    parameters: Mapping[str, type]
    is_timed: bool
    """It may find what counts from a later time on (`Found.due`)."""

    def bind(self, given: Mapping[str, Any]) -> Bound:
        """Fill in the parameters of a rule. Raises ValueError that says what is wrong with which."""
        unknown = [name for name in given if name not in self.parameters]
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ValueError(f"{self.name} has no parameter {unknown[0]!r}; known are {known}")
        return partial(self.function, **{name: self._value(name, value) for name, value in given.items()})

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - a YAML scalar or list
        wanted = self.parameters[name]
        if wanted is Decimal and isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                return Decimal(str(value))
            except InvalidOperation:
                pass
        elif isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
            return value
        raise ValueError(f"{self.name}: {name} must be {wanted.__name__}, not {value!r}")


def computation(
    *, is_timed: bool = False, **reads: tuple[str, ...]
) -> Callable[[Callable[..., Found | None]], Computation]:
    """Make a function a computation: `entity=(fields, ...)` says what it reads; keyword-only arguments are parameters.

    `is_timed` belongs to one that gives `Found.due`.

    The function takes `(rows, row, *, ...)` and gives what it found about `row` (the instance's own row in a rule
    without `each`), or None. Parameters are int, str, bool, Decimal or list.
    """

    def make(function: Callable[..., Found | None]) -> Computation:
        hints = get_type_hints(function)
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        parameters = {name: _plain(hints[name]) for name in names}
        return Computation(function.__name__, function, reads, parameters, is_timed)

    return make


def _plain(hint: Any) -> type:  # noqa: ANN401 - an annotation
    if isinstance(hint, UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    plain: type = get_origin(hint) or hint
    return plain
