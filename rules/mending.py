"""What can still be read of a definition whose form is at fault, so that its other faults are told in the same run.

Each part that its model refuses is left out or replaced by something that it takes. What comes of it is only looked
at for further faults, never put into effect, and faults at what was replaced are not told: they would be ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas import Places, YamlPath

MOST_ROUNDS = 24
"""Every round tries the next stand-in for each part that is still refused, and there are ten; the rest are parts
that the model looks at only when others are right."""
_ABSENT = object()
_STAND_INS: tuple[object, ...] = (_ABSENT, "1d", "x", "X", 1, True, "2026-01-01", [], {}, ["x"])
"""In the order of trying: what has a default is left out; most of what is written wrongly are lengths of time."""
_NAMES = frozenset({"id", "code", "version", "entity"})
"""What others refer to: with a stand-in they would refer to nothing, so such a file is not looked at further."""
_EXPECTED = re.compile(r"'([^']+)'")
_Model = TypeVar("_Model", bound=BaseModel)


def mended(kind: type[_Model], data: object, error: ValidationError) -> tuple[_Model, frozenset[YamlPath]] | None:
    """Give the model of what can be read, and the paths of what was replaced; None if too much would have to be.

    `error` is what `kind` says of `data`, which stays as it is.
    """
    rest = deepcopy(data)
    tried: dict[YamlPath, int] = {}
    for _ in range(MOST_ROUNDS):
        for path, expected in _refused(error, rest).items():
            number = tried[path] = tried.get(path, -1) + 1
            stand_ins = (*_STAND_INS[:1], *expected, *_STAND_INS[1:])
            if not path or path[-1] in _NAMES or number >= len(stand_ins) or not _put(rest, path, stand_ins[number]):
                return None
        try:
            return kind.model_validate(rest), frozenset(tried)
        except ValidationError as again:
            error = again
    return None


def place_set(places: Places, replaced: Collection[YamlPath]) -> frozenset[tuple[int, int]]:
    """Give where faults would be ours: at what was replaced, and at what only holds it."""
    holders = {places.at(path[:end]) for path in replaced for end in range(len(path) + 1)}
    return frozenset(holders | {places.at(path, key=True) for path in replaced})


def _refused(error: ValidationError, data: object) -> dict[YamlPath, tuple[str, ...]]:
    """Give the path of each part that is refused, with a word that may stand there, if those are listed."""
    found: dict[YamlPath, tuple[str, ...]] = {}
    for each in error.errors(include_url=False, include_input=False):
        path = _path_in(data, each["loc"])
        if each["type"] == "missing":
            path = (*path, each["loc"][-1])
        words = _EXPECTED.search(str(each.get("ctx", {}).get("expected", "")))
        found[path] = (words[1],) if words else found.get(path, ())
    return found


def _path_in(data: Any, loc: Sequence[str | int]) -> YamlPath:  # noqa: ANN401 - YAML
    """Give the path of a part: pydantic puts the names of union branches between."""
    found: YamlPath = ()
    for name in loc:
        is_there = name in data if isinstance(data, dict) else _is_index(data, name)
        if is_there:
            data, found = data[name], (*found, name)
    return found


def _is_index(data: object, name: str | int) -> bool:
    return isinstance(data, list) and isinstance(name, int) and name < len(data)


def _put(data: Any, path: YamlPath, value: object) -> bool:  # noqa: ANN401 - YAML
    """Replace a part, or leave it out. False if it cannot be: a list without it would shift what stands behind."""
    for name in path[:-1]:
        data = data[name]
    if isinstance(data, dict) and value is _ABSENT:
        data.pop(path[-1], None)
    elif isinstance(data, dict) or _is_index(data, path[-1]):
        data[path[-1]] = "x" if value is _ABSENT else deepcopy(value)
    else:
        return False
    return True
