"""What changes between two sets of definitions, field by field, in words of the files.

Used by `stagewatch rules diff` and `apply`. Parts of a file are named as people name them (a rule by its code, a
stage by its code, a limit by its process and stage), so that a row moved up or down is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from rules.loader import DefinitionSet

SKIPPED = frozenset({"version", "id"})
"""What every file has and names it by."""


class FieldChange(NamedTuple):
    """One field of one definition that is not as it was."""

    definition: str
    """`kind/id`."""
    place: str
    """Which field, from the top of the file down; "" for the whole file."""
    before: str | None
    """None: it was not there."""
    after: str | None
    """None: it is not there any more."""


def field_changes(before: DefinitionSet, after: DefinitionSet) -> list[FieldChange]:
    """Give all that changes, by definition and place; files that say the same in other words do not appear."""
    old, new = ({file.key: file.model for file in loaded.files} for loaded in (before, after))
    found: list[FieldChange] = []
    for key in sorted(old.keys() | new.keys()):
        if key not in old or key not in new:
            title = str(getattr(new.get(key) or old[key], "title", "") or key)
            found.append(FieldChange(key, "", title if key in old else None, title if key in new else None))
            continue
        was, now = _flat(old[key]), _flat(new[key])
        found += [
            FieldChange(key, place, was.get(place), now.get(place))
            for place in sorted(was.keys() | now.keys())
            if was.get(place) != now.get(place)
        ]
    return found


def _flat(model: BaseModel) -> dict[str, str]:
    data = model.model_dump(mode="json", by_alias=True, exclude_defaults=False)
    tests = data.pop("tests", [])
    leaves = dict(_leaves({name: value for name, value in data.items() if name not in SKIPPED}, ()))
    return leaves | {f"tests.{_name(test, number)}": str(test) for number, test in enumerate(tests)}


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain data of any shape
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _leaves(part, (*path, str(name)))
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        for number, part in enumerate(value):
            inner = {k: v for k, v in part.items() if k not in _names(part)} if isinstance(part, Mapping) else part
            yield from _leaves(inner, (*path, _name(part, number)))
    elif value not in (None, "", [], {}):
        yield ".".join(path), str(value)


def _names(part: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the fields that tell one part of a list from the others."""
    if "limit" in part and "process" in part:
        return ("process", "stage", "total", "when")
    if "code" in part:
        return ("code", "processes")
    return ("name",) if "name" in part else ()


def _name(part: Any, number: int) -> str:  # noqa: ANN401 - plain data of any shape
    if not isinstance(part, Mapping) or not _names(part):
        return str(number)
    said = [part.get(name) for name in _names(part)]
    if "limit" in part and "process" in part:
        process, stage, is_total, when = said
        condition = " ".join(f"{name}={value}" for name, value in when.items()) if when else ""
        return " ".join(each for each in (process, "total" if is_total else str(stage), condition) if each)
    return "/".join(",".join(each) if isinstance(each, list) else str(each) for each in said if each)
