"""A mutant put into a running process: the code of live functions is exchanged, or the module imported in its place."""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

Functions = dict[str, list[FunctionType]]
"""Live functions by the file of their code."""


def live_functions(root: Path) -> Functions:
    """Give every function of this process whose code stands below the root; closures are several of one code."""
    found: Functions = defaultdict(list)
    below = f"{root}/"
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(below):
            found[each.__code__.co_filename].append(each)
    return found


def exchange(tree: ast.Module, file: str, functions: Functions) -> None:
    """Let the live functions of a file run the code of the (changed) tree instead."""
    new = {_name(code): code for code in _codes(compile(ast.fix_missing_locations(tree), file, "exec"))}
    for function in functions.get(file, ()):
        code = new.get(_name(function.__code__))
        if code is not None:
            function.__code__ = code


def _name(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


class ChangedModule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree instead of its file."""

    def __init__(self, name: str, file: str, tree: ast.Module) -> None:
        self._name, self._file, self._tree = name, file, tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer for this one module only."""
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed tree as the module."""
        exec(compile(ast.fix_missing_locations(self._tree), self._file, "exec"), module.__dict__)

    def install(self) -> None:
        """Come before all other finders; the module must not have been imported yet."""
        assert self._name not in sys.modules, self._name
        sys.meta_path.insert(0, self)
