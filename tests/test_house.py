"""House rules that no linter of ours knows. Few, and each one that mattered to somebody."""

import ast
import importlib.metadata
import json
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("stagewatch", "streams", "connectors", "schemas", "rules", "sinks", "desk", "bench")
PURE_ROOMS = ("schemas", "rules")
CLOCK_CALLS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MAX_FUNCTION_LINES = 40
MAX_MODULE_LINES = 400
HOT = {"schemas/whole_rows.py": "read_run"}
"""Functions that every record goes through and that may be longer: a call more is a tenth of their time."""
SECOND_DOORS = {
    "connectors.connect",
    "connectors.debezium",
    "connectors.ogg",
    "connectors.files",
    "connectors.relay",
    "connectors.web",
    "rules.flow",
    "sinks.sms",
    "sinks.store",
}
"""Parts of their own: the read model, which the desk and the command line ask without loading the channels; and roads
into the system that load what only their commands need."""


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def place(path: Path, node: ast.AST | None = None) -> str:
    line = getattr(node, "lineno", None)
    return f"{path.relative_to(ROOT)}" + (f":{line}" if line else "")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_top_level_names_are_ours_alone() -> None:
    owners = importlib.metadata.packages_distributions()
    assert {room: set(owners[room]) for room in ROOMS} == {room: {"stagewatch"} for room in ROOMS}


def test_every_package_is_shipped() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for room in ROOMS for path in (ROOT / room).rglob("__init__.py")
    }
    assert set(declared) == found


def clock_calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        is_time = isinstance(owner, ast.Name) and owner.id == "time" and node.func.attr == "time"
        if node.func.attr in CLOCK_CALLS or is_time:
            yield node


def test_schemas_and_rules_read_no_clock() -> None:
    assert [place(path, call) for path in modules(*PURE_ROOMS) for call in clock_calls(parsed(path))] == []


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring: saying why shall cost nothing."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_functions_and_modules_stay_small() -> None:
    long_modules = [
        place(path) for path in modules(*ROOMS) if len(path.read_text("utf-8").splitlines()) > MAX_MODULE_LINES
    ]
    long_functions = [
        place(path, node)
        for path in modules(*ROOMS)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > MAX_FUNCTION_LINES
        and HOT.get(str(path.relative_to(ROOT))) != node.name
    ]
    assert long_modules + long_functions == []


def test_module_names_say_what_is_inside_and_shadow_nothing() -> None:
    installed = set(importlib.metadata.packages_distributions()) - set(ROOMS)
    taken = VAGUE_NAMES | (sys.stdlib_module_names - {"__main__", "__future__"}) | {name.lower() for name in installed}
    assert [place(path) for path in modules(*ROOMS) if path.stem in taken] == []


def foreign_imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    own_room = path.relative_to(ROOT).parts[0]
    for node in ast.walk(parsed(path)):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            room = name.partition(".")[0]
            if room in ROOMS and room != own_room:
                yield node, name


def test_rooms_are_entered_by_their_doors() -> None:
    # `schemas` is the exception: its modules are nouns, and importing one by its name says which.
    around = [
        f"{place(path, node)}: {name}"
        for path in modules(*ROOMS)
        for node, name in foreign_imports(path)
        if "." in name and name.partition(".")[0] != "schemas" and name not in SECOND_DOORS
    ]
    assert around == []


def test_only_the_registry_imports_a_sink() -> None:
    # A sink is a module that the registry names.
    registry = ROOT / "sinks" / "registry.py"
    sinks = {
        node.module
        for node in ast.walk(parsed(registry))
        if isinstance(node, ast.ImportFrom) and node.module and is_sink(node.module)
    }
    importers = [
        f"{place(path, node)}: {node.module}"
        for path in modules(*ROOMS)
        if path != registry
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module in sinks
    ]
    assert sinks
    assert importers == []


def is_sink(module: str) -> bool:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists() or not module.startswith("sinks."):
        return False
    classes = [node for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    return any(cls.name.endswith("Sink") and cls.name != "Sink" for cls in classes)


def shipped_texts() -> Iterator[Path]:
    suffixes = {".py", ".toml", ".md", ".yml", ".yaml", ".json", ".lock", ".in", ".xml", ".sql", ".cfg", ""}
    skipped = {".venv", ".git", "node_modules", "schemas.lock"}
    for folder in (*ROOMS, "tests", "deploy", ".ci"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in suffixes)
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name not in skipped)


def test_no_file_names_a_machine_or_a_registry() -> None:
    # What is written into a file must hold on every machine.
    folders = ("/" + "work/", "/" + "root/")
    banned = (*folders, "pypi." + "org", "repo." + "maven", "repo1." + "maven", "files.python" + "hosted")
    guilty = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in shipped_texts()
        for word in banned
        if word in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert guilty == []


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").rglob("*.json")), ids=lambda path: path.name)
def test_deployed_json_is_json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))
