"""Where the parts of a drawn process stand: which stage follows which, in which column and row.

Used by `rules.draw` only. Forgiving: unknown codes and circles in a definition are left out here, because
`check` reports them and a drawing should still show the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class StageLike(Protocol):
    """What a drawing needs of a stage."""

    @property
    def code(self) -> str:
        """The stage's code, unique in its process."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def after(self) -> Sequence[str]:
        """Codes of the stages that must have ended before; empty: the one listed before."""

    @property
    def back_to(self) -> Sequence[str]:
        """Codes of the stages that a rejection leads back to."""

    @property
    def parallel(self) -> bool:
        """It runs beside its neighbours."""

    @property
    def optional(self) -> bool:
        """It may be left out."""


class ProcessLike(Protocol):
    """What a drawing needs of a process."""

    @property
    def id(self) -> str:
        """The process's id, e.g. `hv_connection`."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def stages(self) -> Sequence[StageLike]:
        """Its stages in the order of the definition."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From one stage to another that follows it; `row` is the lane it runs in between their columns."""

    source: str
    target: str
    row: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Column and row of each stage code, the edges forward, and pairs (from, back to)."""

    cells: Mapping[str, tuple[int, int]]
    edges: Sequence[Edge]
    back: Sequence[tuple[str, str]]

    @property
    def columns(self) -> int:
        """Count the columns."""
        return 1 + max((column for column, _ in self.cells.values()), default=-1)

    @property
    def rows(self) -> int:
        """Count the rows, those that only edges use included."""
        used = [row for _, row in self.cells.values()] + [edge.row for edge in self.edges]
        return 1 + max(used, default=-1)


def lay_out(process: ProcessLike) -> Layout:
    """Give every stage a cell of its own: columns in order of succession, the longest way in row 0."""
    before = predecessors(process.stages)
    columns = _columns(before)
    links = _needed(before, {stage.code for stage in process.stages if stage.optional})
    main = _longest_way(before, columns)
    taken: set[tuple[int, int]] = set()
    cells: dict[str, tuple[int, int]] = {}
    for code in sorted(before, key=lambda code: code not in main):
        row = _free_row(taken, [columns[code]], 0 if code in main else 1)
        cells[code] = (columns[code], row)
        taken.add(cells[code])
    edges = [_lane(source, target, cells, taken) for source, target in links]
    back = [(stage.code, code) for stage in process.stages for code in stage.back_to if code in before]
    return Layout(cells, edges, back)


def predecessors(stages: Sequence[StageLike]) -> dict[str, list[str]]:
    """Give the stages that each one follows.

    One that names none follows the one listed before it (a parallel one: what that one follows).
    Links that would close a circle are left out.
    """
    known = {stage.code for stage in stages}
    before: dict[str, list[str]] = {}
    previous: str | None = None
    for stage in stages:
        wanted: Iterable[str] = (code for code in stage.after if code in known and code != stage.code)
        if not stage.after and previous is not None:
            wanted = before[previous] if stage.parallel else [previous]
        before[stage.code] = list(dict.fromkeys(wanted))
        previous = stage.code
    for code, others in before.items():
        before[code] = [other for other in others if code not in _ancestors(other, before)]
    return before


def _ancestors(code: str, before: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [code]
    while waiting:
        for other in before.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _columns(before: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Give each stage the first column right of all that it follows."""
    depth = {code: len(_ancestors(code, before)) for code in before}
    columns: dict[str, int] = {}
    for code in sorted(before, key=depth.__getitem__):
        columns[code] = 1 + max((columns[other] for other in before[code]), default=-1)
    return columns


def _needed(before: Mapping[str, Sequence[str]], optional: set[str]) -> list[tuple[str, str]]:
    """Leave out a link that says no more than a way over stages that are never skipped."""
    sure = {code: [other for other in others if other not in optional] for code, others in before.items()}
    links = []
    for code, others in before.items():
        for other in others:
            detours = (_ancestors(middle, sure) for middle in others if middle not in {other, *optional})
            if not any(other in way for way in detours):
                links.append((other, code))
    return links


def _longest_way(before: Mapping[str, Sequence[str]], columns: Mapping[str, int]) -> set[str]:
    way: set[str] = set()
    code = max(columns, key=columns.__getitem__, default=None)
    while code is not None:
        way.add(code)
        code = max(before[code], key=columns.__getitem__, default=None)
    return way


def _free_row(taken: set[tuple[int, int]], columns: Iterable[int], first: int) -> int:
    wanted = list(columns)
    row = first
    while any((column, row) in taken for column in wanted):
        row += 1
    return row


def _lane(source: str, target: str, cells: Mapping[str, tuple[int, int]], taken: set[tuple[int, int]]) -> Edge:
    """Lead an edge around the stages between its ends, along a row that is free there."""
    (first, row), (last, target_row) = cells[source], cells[target]
    between = range(first + 1, last)
    if all((column, row) not in taken for column in between):
        return Edge(source, target, row)
    lane = _free_row(taken, between, min(row, target_row))
    taken.update((column, lane) for column in between)
    return Edge(source, target, lane)
