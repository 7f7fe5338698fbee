"""Faults in definitions: limits a unit off, rungs lost or of another weight, stages swapped, keys dropped.

Texts are cut at the places that the YAML parser gives, so that a mutant is the file itself with one slip in it.
Left out: the definitions' own tests, and what judges nothing (titles, departments, sentences, what is only drawn).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from tests.mutation.mutant import Mutant

FOLDER = "rules/definitions"
UNSEEN = {
    "version", "id", "code", "title", "tests", "acts", "department", "starts", "ends", "tell", "text", "description",
    "unit", "name", "applies_to", "timezone", "kind", "templates",
    "parallel", "optional", "back_to", "documents", "started_by", "ended_by", "repeats", "suspends",
}  # fmt: skip
"""Keys whose values judge nothing (sentences, what is drawn, what people read), or say which kind of thing it is."""
KEPT = UNSEEN | {"processes", "stages", "rules", "rows", "indicators"}
"""Keys that are not dropped as a whole: what would be left is no definition any more."""
DURATION = re.compile(r"([0-9]+)( ?)(s|m|h|d|wd|%)")
SEVERITIES = ("INFO", "WARN", "ALARM", "CRITICAL")
RUNG_KINDS = {"before": "beyond", "beyond": "before", "after": "beyond"}
COMPARISONS = {"ge": "gt", "gt": "ge", "le": "lt", "lt": "le", "ne": "ge"}
STAGE_KEYS = {"stage", "until_stage", "connect_stage"}
NAMES = ("code", "name", "id", "stage", "process", "entity")


def definition_files(root: Path) -> list[str]:
    """Give the definitions that are shipped, as paths from the root."""
    return sorted(str(path.relative_to(root)) for path in (root / FOLDER).rglob("*.yaml"))


def definition_mutants(path: str, text: str) -> list[Mutant]:
    """Give the mutants of one definition; `make` gives its text with the slip."""
    return _Finder(path, text).find()


class _Finder:
    """Walks the nodes of one file."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        self._lines = text.splitlines()
        self._found: list[Mutant] = []
        self._stages: list[str] = []

    def find(self) -> list[Mutant]:
        root = yaml.compose(self._text, Loader=yaml.SafeLoader)
        if isinstance(root, yaml.MappingNode):
            self._stages = sorted(set(_stages_in(root)))
            self._mapping(root, "")
        return self._found

    # -- nodes

    def _mapping(self, node: yaml.MappingNode, place: str, key: str = "") -> None:
        for index, (name, value) in enumerate(node.value):
            inner = f"{place}/{name.value}" if place else name.value
            if name.value in UNSEEN:
                continue
            is_alone = len(node.value) == 1 and key not in {"", "rungs"}  # to drop it is to drop the whole mapping
            is_flag = value.tag == "tag:yaml.org,2002:bool"  # to drop it is to turn it round
            if place and name.value not in KEPT and not (is_alone or is_flag):
                self._drop(node, index, inner)
            self._name(name, key, inner)
            self._value(value, name.value, inner)

    def _name(self, name: yaml.ScalarNode, key: str, place: str) -> None:
        """A key that means something itself: a severity, a way to reach a rung, a comparison."""
        if name.value in SEVERITIES:
            self._replace(name, _next(SEVERITIES, name.value), place)
        elif key in SEVERITIES and name.value in RUNG_KINDS:
            self._replace(name, RUNG_KINDS[name.value], place)
        elif name.value in COMPARISONS and key not in {"rungs", *SEVERITIES}:
            self._replace(name, COMPARISONS[name.value], place)

    def _value(self, node: yaml.Node, key: str, place: str) -> None:
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, place, key)
        elif isinstance(node, yaml.SequenceNode):
            self._sequence(node, key, place)
        elif isinstance(node, yaml.ScalarNode):
            self._scalar(node, key, place)

    def _sequence(self, node: yaml.SequenceNode, key: str, place: str) -> None:
        for index, each in enumerate(node.value):
            inner = f"{place}/{_name_of(each, index)}"
            self._drop(node, index, inner)
            if key != "processes":
                self._value(each, key, inner)

    def _scalar(self, node: yaml.ScalarNode, key: str, place: str) -> None:
        for other in _others(node, key, self._stages):
            self._replace(node, other, place)

    # -- noting

    def _replace(self, node: yaml.ScalarNode, other: str, place: str) -> None:
        begin, end = node.start_mark.index, node.end_mark.index
        quote = node.style if node.style in {'"', "'"} else ""
        new = f"{quote}{other}{quote}"
        self._note(node, place, f"{node.value} becomes {other}", begin, end, new)

    def _drop(self, node: yaml.MappingNode | yaml.SequenceNode, index: int, place: str) -> None:
        """Leave out one entry, and the comma or the line that it stands on."""
        begin, end = _extent(node, index, self._text)
        only = len(node.value) == 1
        new = ("{}" if isinstance(node, yaml.MappingNode) else "[]") if only and not node.flow_style else ""
        first = node.value[index][0] if isinstance(node, yaml.MappingNode) else node.value[index]
        if new:
            begin, end = node.start_mark.index, node.end_mark.index
            new = f" {new}\n"
        self._note(first, place, "is left out", begin, end, new)

    def _note(self, node: yaml.Node, place: str, change: str, begin: int, end: int, new: str) -> None:  # noqa: PLR0917 - where, what, and the cut
        line = node.start_mark.line
        text = self._text[:begin] + new + self._text[end:]
        self._found.append(
            Mutant("definition", self._path, place, line + 1, self._lines[line].strip(), change, lambda: text)
        )


def _others(node: yaml.ScalarNode, key: str, stages: Sequence[str]) -> Iterator[str]:
    """Give what a scalar may be mistaken for."""
    text = node.value
    found = DURATION.fullmatch(text)
    if found:
        amount = int(found[1])
        yield f"{amount + 1}{found[2]}{found[3]}"
        if amount:
            yield f"{amount - 1}{found[2]}{found[3]}"
    elif text in SEVERITIES:
        yield _next(SEVERITIES, text)
    elif node.tag == "tag:yaml.org,2002:bool":
        yield "false" if text == "true" else "true"
    elif node.tag == "tag:yaml.org,2002:int":
        yield str(int(text) + 1)
        yield str(int(text) - 1)
    elif key in STAGE_KEYS and text in stages and len(stages) > 1:
        yield _next(stages, text)


def _next(known: Sequence[str], one: str) -> str:
    return known[(known.index(one) + 1) % len(known)]


def _stages_in(node: yaml.Node) -> Iterator[str]:
    """Give every stage that a file speaks of."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value in STAGE_KEYS and isinstance(value, yaml.ScalarNode):
                yield value.value
            if name.value == "stages" and isinstance(value, yaml.SequenceNode):
                yield from (_name_of(each, 0) for each in value.value)
            elif name.value != "tests":
                yield from _stages_in(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _stages_in(each)


def _name_of(node: yaml.Node, index: int) -> str:
    """Name an entry of a list: by what names it among its neighbours, else by itself or its number."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.MappingNode):
        told = {name.value: value for name, value in node.value}
        names = [told[name].value for name in NAMES if isinstance(told.get(name), yaml.ScalarNode)]
        if "code" in told:
            return str(told["code"].value)
        if "when" in told:
            names.append(f"when {yaml.serialize(told['when']).strip()}")
        if "total" in told:
            names.append("total")
        if names:
            return " ".join(names)
    return str(index)


def _extent(node: yaml.MappingNode | yaml.SequenceNode, index: int, text: str) -> tuple[int, int]:
    """Give where an entry begins and ends, with its comma in a list in one line, else with its line break."""
    spans = [_span(each) for each in node.value]
    begin, end = spans[index]
    if node.flow_style:
        if index + 1 < len(spans):
            return begin, spans[index + 1][0]
        return (spans[index - 1][1], end) if index else (begin, end)
    begin = text.rfind("\n", 0, begin) + 1 if isinstance(node, yaml.SequenceNode) else begin
    if index + 1 < len(spans):
        following = spans[index + 1][0]
        return begin, text.rfind("\n", 0, following) + 1 if isinstance(node, yaml.SequenceNode) else following
    return begin, node.end_mark.index


def _span(each: yaml.Node | tuple[yaml.Node, yaml.Node]) -> tuple[int, int]:
    first, last = each if isinstance(each, tuple) else (each, each)
    return first.start_mark.index, last.end_mark.index
