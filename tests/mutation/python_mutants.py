"""Faults in Python: comparisons off by one, conditions turned round, numbers, strings, results and statements lost.

Left out, since they say nothing about judging: annotations, docstrings, decorators, class keywords, the texts of
errors and of f-strings, what `__all__` and `__slots__` list, and descriptions of fields.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

from tests.mutation.mutant import Mutant

COMPARISONS: dict[type[ast.cmpop], tuple[str, type[ast.cmpop], str]] = {
    ast.Lt: ("<", ast.LtE, "<="),
    ast.LtE: ("<=", ast.Lt, "<"),
    ast.Gt: (">", ast.GtE, ">="),
    ast.GtE: (">=", ast.Gt, ">"),
    ast.Eq: ("==", ast.NotEq, "!="),
    ast.NotEq: ("!=", ast.Eq, "=="),
    ast.Is: ("is", ast.IsNot, "is not"),
    ast.IsNot: ("is not", ast.Is, "is"),
    ast.In: ("in", ast.NotIn, "not in"),
    ast.NotIn: ("not in", ast.In, "in"),
}
OPERATORS: dict[type[ast.operator], tuple[str, type[ast.operator], str]] = {
    ast.Add: ("+", ast.Sub, "-"),
    ast.Sub: ("-", ast.Add, "+"),
    ast.Mult: ("*", ast.FloorDiv, "//"),
    ast.Div: ("/", ast.Mult, "*"),
    ast.FloorDiv: ("//", ast.Mult, "*"),
    ast.Mod: ("%", ast.Mult, "*"),
    ast.BitOr: ("|", ast.BitAnd, "&"),
    ast.BitAnd: ("&", ast.BitOr, "|"),
}
TWINS = {"max": "min", "min": "max", "any": "all", "all": "any"}
UNSEEN_KEYWORDS = {"description", "title", "maxsize"}
UNSEEN_NAMES = {"__all__", "__slots__"}
UNSEEN_CALLS = {"TypeVar", "NewType"}
Change = tuple[str, Callable[[], object]]


def python_mutants(path: str, text: str) -> tuple[ast.Module, list[Mutant]]:
    """Give the syntax tree of a module and its mutants; `make` of one changes that very tree."""
    tree = ast.parse(text, path)
    finder = _Finder(path, text.splitlines())
    finder.visit(tree)
    return tree, finder.found


def mutants_of(root: Path, path: str) -> tuple[ast.Module, list[Mutant]]:
    """Give those of a file."""
    return python_mutants(path, (root / path).read_text(encoding="utf-8"))


class _Finder(ast.NodeVisitor):
    """Walks a module and notes every mutant with where it stands."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.found: list[Mutant] = []
        self._path, self._lines = path, lines
        self._names: list[str] = []
        self._functions = 0
        self._statement: ast.stmt | None = None
        self._is_quiet = False

    # -- where we are

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each)):
            self.visit(default)
        self._inside(node.name, node.body, functions=1)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._functions += 1
        self.visit(node.body)
        self._functions -= 1

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node.name, node.body, functions=0)

    def _inside(self, name: str, body: list[ast.stmt], *, functions: int) -> None:
        self._names.append(name)
        self._functions += functions
        for statement in body:
            self._visit_statement(statement)
        self._functions -= functions
        self._names.pop()

    def _visit_statement(self, node: ast.stmt) -> None:
        self._statement = node
        self.visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        for _, value in ast.iter_fields(node):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.stmt):
                    self._visit_statement(each)
                elif isinstance(each, ast.AST):
                    self.visit(each)

    # -- statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self._note(node, "the call is left out", lambda: _become(node, ast.Pass()))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
        if UNSEEN_NAMES.intersection(names) or _called(node.value) in UNSEEN_CALLS:
            return
        if self._functions and not names and not any(isinstance(each, ast.Tuple) for each in node.targets):
            self._note(node, "the assignment is left out", lambda: _become(node, ast.Pass()))
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in OPERATORS:
            was, other, text = OPERATORS[type(node.op)]
            self._note(node, f"{was}= becomes {text}=", lambda: setattr(node, "op", other()))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._note(node, "gives None", lambda: setattr(node, "value", ast.copy_location(_none(), node)))
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._note(node, "is not raised", lambda: _become(node, ast.Pass()))

    def visit_Continue(self, node: ast.Continue) -> None:
        self._note(node, "continue becomes break", lambda: _become(node, ast.Break()))

    def visit_Break(self, node: ast.Break) -> None:
        self._note(node, "break becomes continue", lambda: _become(node, ast.Continue()))

    def visit_If(self, node: ast.If) -> None:
        self._condition(node)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for index, test in enumerate(node.ifs):
            self._note(test, "the filter is left out", lambda index=index: node.ifs.pop(index))  # type: ignore[misc]
        self.generic_visit(node)

    # -- expressions

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, op in enumerate(node.ops):
            was, other, text = COMPARISONS[type(op)]
            self._note(
                node, f"{was} becomes {text}" + _nth(index),
                lambda index=index, other=other: node.ops.__setitem__(index, other()),  # type: ignore[misc]
            )  # fmt: skip
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other, text = (ast.Or, "and becomes or") if isinstance(node.op, ast.And) else (ast.And, "or becomes and")
        self._note(node, f"{text}: {_short(node)}", lambda: setattr(node, "op", other()))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            sign = "not" if isinstance(node.op, ast.Not) else "-"
            self._note(node, f"{sign} is left out: {_short(node)}", lambda: _become(node, node.operand))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS and not _is_union(node):
            was, other, text = OPERATORS[type(node.op)]
            self._note(node, f"{was} becomes {text}: {_short(node)}", lambda: setattr(node, "op", other()))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        if isinstance(name, ast.Name) and name.id in TWINS:
            self._note(node, f"{name.id} becomes {TWINS[name.id]}", lambda: setattr(name, "id", TWINS[name.id]))
        if _called(node) in UNSEEN_CALLS | {"cast"}:
            self._visit_all(node.args[1:])
            return
        self.visit(node.func)
        self._visit_all(node.args)
        self._visit_all([each.value for each in node.keywords if each.arg not in UNSEEN_KEYWORDS])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._visit_all([each.value for each in node.values if isinstance(each, ast.FormattedValue)])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        self.visit(node.slice)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._note(node, f"{value} becomes {not value}", lambda: setattr(node, "value", not value))
        elif isinstance(value, int):
            self._note(node, f"{value} becomes {value + 1}", lambda: setattr(node, "value", value + 1))
        elif isinstance(value, str):
            self._note(node, f"{value!r} becomes another text", lambda: setattr(node, "value", f"{value}~"))

    # -- noting

    def _visit_all(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self.visit(node)

    def _condition(self, node: ast.If | ast.While | ast.IfExp) -> None:
        test = node.test
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            turned = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
            self._note(test, f"the condition is turned round: {_short(test)}", lambda: setattr(node, "test", turned))

    def _note(self, node: ast.expr | ast.stmt, change: str, make: Callable[[], object]) -> None:
        statement = self._statement or node
        first = statement.lineno
        body = getattr(statement, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno or first
        self.found.append(
            Mutant(
                "python", self._path, ".".join(self._names) or "<module>", node.lineno,
                self._lines[node.lineno - 1].strip(), change, make,
                (node.lineno, node.end_lineno or node.lineno), (first, max(first, last)), self._functions > 0,
            )
        )  # fmt: skip


def _become(node: ast.AST, other: ast.AST) -> None:
    """Let a node be another one, in every list and field that holds it."""
    ast.copy_location(other, node)
    node.__class__ = type(other)
    node.__dict__.clear()
    node.__dict__.update(other.__dict__)


def _none() -> ast.Constant:
    return ast.Constant(None)


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."


def _nth(index: int) -> str:
    return f" ({index + 1}.)" if index else ""


def _called(node: ast.expr) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def _is_union(node: ast.BinOp) -> bool:
    """Tell types (`int | None`) from sets: only names and None."""

    def is_type(each: ast.expr) -> bool:
        if isinstance(each, ast.BinOp):
            return is_type(each.left) and is_type(each.right)
        is_none = isinstance(each, ast.Constant) and each.value is None
        return is_none or (isinstance(each, ast.Name) and (each.id[0].isupper() or each.id in TYPES))

    return isinstance(node.op, ast.BitOr) and is_type(node)


TYPES = {"int", "float", "str", "bytes", "bool", "list", "dict", "tuple", "set", "frozenset"}
