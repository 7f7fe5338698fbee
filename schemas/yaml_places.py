"""YAML with places: what a definition file says, and the line and column of every part of it.

Shared by all rooms that read our own YAML (`rules`, `connectors`, ...), so that every fault can be
printed as `file:line:col: message`. Pure parsing: text in, data out; the caller opens files.
The scalars are those of YAML 1.2, because 1.1 surprises people who write business data: only
`true`/`false` are booleans (not `no`, `on`), `12:30` and `2026-03-02` stay text, and so does a
number with leading zeros (`0571` is a code, not 571).
"""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from schemas.errors import DefinitionError, Fault

YamlPath = tuple[str | int, ...]
"""Keys and list indexes from the top of the file down."""

MAX_DEPTH = 60
"""Levels of nesting. Our files need fewer than ten; The composer recurses, so it must end somewhere."""

EMPTY = "the file is empty"
"""The fault of a file that says nothing."""

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_Model = TypeVar("_Model", bound=BaseModel)


class _Loader(yaml.CSafeLoader):
    """SafeLoader with the scalar rules of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,30})$", list("-+0123456789")),
    ("float", r"^[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?$", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class Places:
    """Where each part of one YAML file stands. Lines and columns count from 1."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._keys: dict[YamlPath, tuple[int, int]] = {}
        self._values: dict[YamlPath, tuple[int, int]] = {(): (1, 1)}

    def put(self, path: YamlPath, value: yaml.Mark, key: yaml.Mark | None = None) -> None:
        """Remember where a value (and its key) begins."""
        self._values[path] = (value.line + 1, value.column + 1)
        if key is not None:
            self._keys[path] = (key.line + 1, key.column + 1)

    def at(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Give line and column of the value at `path` (or of its key).

        Parts of the path that the file does not have are skipped: pydantic puts names of union
        branches between, and a missing field has no place but its parent's.
        """
        found: YamlPath = ()
        for part in path:
            if (*found, part) in self._values:
                found = (*found, part)
        if key and found in self._keys:
            return self._keys[found]
        return self._values[found]

    def fault(self, path: Sequence[str | int], message: str, *, key: bool = False) -> Fault:
        """Make the fault `message` at `path`."""
        line, column = self.at(path, key=key)
        return Fault(self.file, line, column, message)


def stands_twice(file: PurePath, folder: PurePath) -> bool:
    """Tell whether a file below a folder is what a mounted ConfigMap holds a second time, in `..data` and behind."""
    return any(part.startswith("..") for part in file.relative_to(folder).parts)


def load_yaml(text: str | bytes, file: str) -> tuple[object, Places]:
    """Give the data of one YAML document (dicts, lists, str, int, float, bool, None) and its places.

    `file` is only used in messages. Raises `DefinitionError` with a fault for broken syntax, text that is not
    UTF-8, duplicate keys, keys that are not scalars, foreign tags and aliases that contain themselves.
    An empty file gives None.
    """
    try:
        source = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        _refuse_depth(source, file)
        loader = _Loader(source)
        node = loader.get_single_node()
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1 if isinstance(text, bytes) else 1
        _refuse(file, line, 1, "not UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        _refuse(file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, f"not YAML: {message}")
    except yaml.reader.ReaderError as error:
        before = source[: error.position]
        column = error.position - before.rfind("\n")
        _refuse(file, before.count("\n") + 1, column, f"not YAML: character #x{error.character:04x} is not allowed")
    builder = _Builder(loader, Places(file))
    data = None if node is None else builder.build(node, ())
    if builder.faults:
        raise DefinitionError(builder.faults)
    return data, builder.places


def _refuse_depth(source: str, file: str) -> None:
    """Look at the events before the nodes are made: libyaml's composer recurses and would end the process."""
    depth, parser = 0, _Loader(source)
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                _refuse(file, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, "nested too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse(file: str, line: int, column: int, message: str) -> NoReturn:
    raise DefinitionError([Fault(file, line, column, message)]) from None


class _Builder:
    """Turns composed nodes into data; collects faults instead of stopping at the first."""

    def __init__(self, loader: _Loader, places: Places) -> None:
        self._loader = loader
        self._open: list[yaml.Node] = []
        self._budget = 100_000  # aliases may multiply: the "billion laughs" file must end
        self.places = places
        self.faults: list[Fault] = []

    def _fault(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self.faults.append(Fault(self.places.file, mark.line + 1, mark.column + 1, message))

    def _objection(self, node: yaml.Node) -> str | None:
        if self._budget == 0:
            return "aliases multiply to more than a hundred thousand values"
        if any(node is parent for parent in self._open):
            return "an alias contains itself"
        if len(self._open) > MAX_DEPTH:
            return "nested too deep"
        return None if node.tag in _TAGS else f"tag '{node.tag}' is not allowed"

    def build(self, node: yaml.Node, path: YamlPath, key: yaml.Mark | None = None) -> object:
        """Give the node's data; its place goes into `places`."""
        self.places.put(path, node.start_mark, key)
        self._budget -= 1
        objection = self._objection(node)
        if objection is not None:
            self._fault(node, objection)
        if objection is not None or self._budget < 0:
            return None
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: YamlPath) -> dict[object, object]:
        result: dict[object, object] = {}
        for key_node, value_node in node.value:
            is_plain = isinstance(key_node, yaml.ScalarNode) and key_node.tag in _TAGS
            key = self._scalar(key_node) if is_plain else None
            if not isinstance(key, str | int):
                self._fault(key_node, "a key must be text or a whole number")
                continue
            if key in result:
                self._fault(key_node, f"duplicate key '{key}'")
                continue
            result[key] = self.build(value_node, (*path, key), key_node.start_mark)
        return result

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._fault(node, f"'{node.value}' does not fit its tag")
            return None


def pydantic_faults(error: ValidationError, places: Places, file: str | None = None) -> list[Fault]:
    """Give one fault per error that pydantic found, each at its place, in the order of the file."""
    faults = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        loc = tuple(item["loc"])
        is_name = loc[-1:] == ("[key]",)  # pydantic's mark for a key of a mapping that does not fit
        loc = loc[:-1] if is_name else loc
        kind, name = item["type"], loc[-1] if loc else ""
        if is_name:
            message, is_key = f"name '{name}': {item['msg']}", True
        elif kind == "extra_forbidden":
            message, is_key = f"unknown field '{name}'", True
        elif kind == "missing":
            message, is_key = f"field '{name}' is missing", True
        else:
            message = item["msg"].removeprefix("Value error, ")
            message, is_key = (f"{name}: {message}" if isinstance(name, str) and name else message), False
        line, column = places.at(loc, key=is_key)
        faults.append(Fault(file or places.file, line, column, message))
    return sorted(faults, key=lambda fault: (fault.line, fault.column, fault.message))


def load_model(model: type[_Model], text: str | bytes, file: str) -> tuple[_Model, Places]:
    """Read one YAML document as `model`. Raises `DefinitionError` with every fault and its place."""
    data, places = load_yaml(text, file)
    if data is None:
        raise DefinitionError([places.fault((), EMPTY)])
    try:
        return model.model_validate(data), places
    except ValidationError as error:
        raise DefinitionError(pydantic_faults(error, places)) from None
