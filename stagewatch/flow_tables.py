"""The flow as tables for people: the same ones on the terminal and in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stagewatch.flow import Document

DAY_H = 24


class Table(NamedTuple):
    """A titled table; `of` counts the rows that there are, of which it may show the first."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    of: int


def tables_of(document: Document, most: int) -> Iterator[Table]:
    """Give the tables of the views that the document has, each of at most so many rows."""
    titles = document["of"]["stages"]
    for view, make in _MAKERS.items():
        if view in document:
            for title, columns, rows in make(document[view], titles):
                shown = rows if title in _WHOLE else rows[:most]
                yield Table(title, columns, shown, len(rows))


_Titles = dict[str, str]
_Made = Iterator[tuple[str, Sequence[str], list[list[Any]]]]


def _variants(view: Document, _titles: _Titles) -> _Made:
    rows = [
        [v["instances"], _percent(v["share"]), v["over"], days(v["whole_h"]["median"]) if v["over"] else "",
         " → ".join(v["stages"]) or "(no stage)"]
        for v in view["variants"]
    ]  # fmt: skip
    yield "Variants", ["instances", "share", "ended", "median whole", "stages in order of entry"], rows


def _durations(view: Document, titles: _Titles) -> _Made:
    head = ["ended", "open", "workdays median", "p90", "p95", "worked median", "worked p90", "worked p95", "share"]
    for name, title, who in (("by_stage", "stage", None), ("by_unit", "stage and unit", "unit"),
                             ("by_handler", "stage and handler", "handler")):  # fmt: skip
        rows = [
            [_stage(r["stage"], titles), *([r["who"] or ""] if who else []), r["worked_h"]["count"], r["open"],
             *(r["workdays"][each] for each in _SPREAD), *(days(r["worked_h"][each]) for each in _SPREAD),
             _percent(r["share"])]
            for r in view[name]
        ]  # fmt: skip
        yield f"Durations by {title}", ["stage", *([who] if who else []), *head], rows


def _rework(view: Document, titles: _Titles) -> _Made:
    rows = [
        [_stage(r["stage"], titles), r["visits"], r["instances"], r["repeats"], r["repeated_instances"], r["most"],
         r["rejected"], days(r["repeated_h"])]
        for r in view["stages"]
    ]  # fmt: skip
    columns = ["stage", "visits", "instances", "repeats", "instances with repeats", "most", "rejected", "worked again"]
    yield "Rework by stage", columns, rows
    ways = [[*_way(r, titles), r["count"], r["instances"], r["after_rejection"], _yes(r["is_defined_back"])]
            for r in view["ways_back"]]  # fmt: skip
    yield "Ways back", ["from", "to", "times", "instances", "after rejection", "defined"], ways


def _waiting(view: Document, titles: _Titles) -> _Made:
    now = [
        [_stage(r["stage"], titles), r["state"], r["instances"], *(days(r["waited_h"][each]) for each in _SPREAD),
         days(r["waited_h"]["total"])]
        for r in view["now"]
    ]  # fmt: skip
    yield "Waiting now", ["stage", "state", "instances", "median", "p90", "p95", "in sum"], now
    longest = [[r["instance"], _stage(r["stage"], titles), r["state"], r["org_no"], r["handler"], r["since_at"],
                days(r["waited_h"])] for r in view["longest"]]  # fmt: skip
    yield "Waiting longest", ["instance", "stage", "state", "unit", "handler", "since (UTC)", "waited"], longest
    between = [
        [*_way(r, titles), r["count"], r["overlapping"], *(days(r["wait_h"][each]) for each in (*_SPREAD, "total"))]
        for r in view["between"]
    ]  # fmt: skip
    yield "Waiting between stages", ["from", "to", "times", "overlapping", "median", "p90", "p95", "in sum"], between


def _conformance(view: Document, titles: _Titles) -> _Made:
    fitness = view["fitness"]
    share = fitness["conforming"] / fitness["instances"] if fitness["instances"] else 1.0
    sums = [["fitness", _percent(fitness["fitness"])], ["steps", fitness["steps"]],
            ["steps that deviate", fitness["deviating"]], ["instances", fitness["instances"]],
            ["instances without deviation", f"{fitness['conforming']} ({_percent(share)})"],
            *([kind.replace("_", " "), count] for kind, count in fitness["by_kind"].items())]  # fmt: skip
    yield "Conformance", ["", "of all"], sums
    deviations = [
        [d["instance"], d["kind"].replace("_", " "), d["rule"], _stage(d["stage"], titles), d["visit"],
         _stage(d["other"], titles), d["at"], ", ".join(map(_place, d["evidence"]))]
        for d in view["deviations"]
    ]  # fmt: skip
    columns = ["instance", "deviation", "rule", "stage", "visit", "against", "at (UTC)", "evidence"]
    yield "Deviations", columns, deviations


_MAKERS = {
    "variants": _variants,
    "durations": _durations,
    "rework": _rework,
    "waiting": _waiting,
    "conformance": _conformance,
}
_WHOLE = frozenset({"Conformance"})
"""Tables of sums, of which nothing is left out."""
_SPREAD = ("median", "p90", "p95")


def days(hours: float) -> str:
    """Say working hours: 3.2d (of 24 working hours), 5.0h."""
    return f"{hours / DAY_H:.1f}d" if hours >= DAY_H else f"{hours:.1f}h"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _stage(code: str | None, titles: _Titles) -> str:
    return "" if code is None else f"{code} {titles.get(code, '?')}"


def _way(row: Document, titles: _Titles) -> tuple[str, str]:
    return _stage(row["source"], titles), _stage(row["target"], titles)


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell
    return "yes" if value else "no"


def _place(place: Document) -> str:
    return f"{place['topic']} {place['partition']}:{place['offset']}"
