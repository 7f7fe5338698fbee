"""What a computation is: a named pure function over the rows of an instance, with what it reads and its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from rules.engine.rows import Asked, Found, Rows, SubjectRow

Bound = Callable[[Rows, SubjectRow], Found | None]
"""A computation with its parameters filled in."""
GROUNDS = "grounds"
"""The argument of a computation that rests on other rules: they, not a parameter."""


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
    rests_on_rules: bool = False
    """It asks other rules what they find."""
    stricter_below: frozenset[str] = frozenset()
    """Parameters of which a smaller value finds whatever a greater one does."""

    def bind(self, given: Mapping[str, Any], grounds: Sequence[Asked] = ()) -> Bound:
        """Fill in the parameters of a rule and what it rests on. Raises ValueError that says what is wrong."""
        unknown = [name for name in given if name not in self.parameters]
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ValueError(f"{self.name} has no parameter {unknown[0]!r}; known are {known}")
        values = {name: self._value(name, value) for name, value in given.items()}
        return partial(self.function, **values, **({GROUNDS: tuple(grounds)} if self.rests_on_rules else {}))

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
    *, is_timed: bool = False, stricter_below: tuple[str, ...] = (), **reads: tuple[str, ...]
) -> Callable[[Callable[..., Found | None]], Computation]:
    """Make a function a computation: `entity=(fields, ...)` says what it reads; keyword-only arguments are parameters.

    `is_timed` belongs to one that gives `Found.due`; of the parameters in `stricter_below` a smaller value finds more.

    The function takes `(rows, row, *, ...)` and gives what it found about `row` (the instance's own row in a rule
    without `each`), or None. Parameters are int, str, bool, Decimal or list; `grounds: Sequence[Asked]` is given the
    rules that it rests on.
    """

    def make(function: Callable[..., Found | None]) -> Computation:
        hints = get_type_hints(function)
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        parameters = {name: _plain(hints[name]) for name in names if name != GROUNDS}
        return Computation(
            function.__name__, function, reads, parameters, is_timed, GROUNDS in names, frozenset(stricter_below)
        )

    return make


def _plain(hint: Any) -> type:  # noqa: ANN401 - an annotation
    if isinstance(hint, UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    plain: type = get_origin(hint) or hint
    return plain
