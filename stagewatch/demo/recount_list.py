"""The negative list's part of the recount: R-N01, R-N02, R-N04 to R-N09 (domain.md 4.3). See `recount`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stagewatch.demo.recount import HV, LV, Firing, Key
from stagewatch.demo.source import Happening, Row
from stagewatch.demo.workdays import DAY_MS, end_of, workday_deadline

ITEM_TABLES = ("lean.lean_neg_trans", "lean.lean_neg_line")
PROCESS = "negative_list"
YEAR_MS = 365 * DAY_MS
"""The story is shorter than a year, so no anniversary matters."""


def count_list(happenings: Sequence[Happening], until: int) -> Iterator[tuple[Key, Firing]]:
    """Give the alerts about listed equipment, in order of arrival."""
    ledger = _Ledger()
    for happening in happenings:
        if happening.at > until:
            break
        if happening.garbage is None:
            yield from ledger.take(happening)
    for nl_no, versions in ledger.versions.items():
        yield from _item_firings(nl_no, versions, until)


@dataclass(slots=True)
class _Ledger:
    """Which applications run, and what is on the list, while the records are read in order."""

    apps: dict[str, Row] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    items: dict[str, Row] = field(default_factory=dict)
    versions: dict[str, list[Happening]] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)

    def take(self, happening: Happening) -> Iterator[tuple[Key, Firing]]:
        """Read one record; say what it raises."""
        row, now = happening.row, Firing(happening.at, happening.at, by_arrival=True)
        if happening.table == "mkt.mkt_app":
            is_new = row["app_no"] not in self.apps
            self.apps[str(row["app_no"])] = row
            if is_new:
                yield from ((key, now) for key in self._under_list(row))
        elif happening.table == "mkt.mkt_app_progress" and row["stage_code"] == "CONNECT":
            self.connected.add(str(row["app_no"]))
        elif happening.table in ITEM_TABLES:
            nl_no = str(row["nl_no"])
            was_open = _is_open(self.items.get(nl_no))
            self.items[nl_no] = row
            self.versions.setdefault(nl_no, []).append(happening)
            if _is_open(row) and not was_open:
                for app in self._waiting(row):
                    yield Key("R-N04", "ALARM", _process(app), str(app["app_no"]), item=nl_no), now
            elif was_open and not _is_open(row) and any(True for _ in self._waiting(row)):
                yield Key("R-N08", "INFO", PROCESS, nl_no, item=nl_no), now
            yield from ((key, now) for key in self._returned())

    def _returned(self) -> Iterator[Key]:
        """R-N09: items whose equipment was taken off the list in the year before they were determined; each once."""
        for nl_no, item in self.items.items():
            if nl_no in self.returned or item["cleared_at"] is not None:
                continue
            if any(_came_back(item, other) for key, other in self.items.items() if key != nl_no):
                self.returned.add(nl_no)
                yield Key("R-N09", "WARN", PROCESS, nl_no, item=nl_no)

    def _under_list(self, app: Row) -> Iterator[Key]:
        for nl_no, item in self.items.items():
            if _is_open(item) and _is_below(app, item):
                rule = "R-N02" if "line_no" in item else "R-N01"
                severity = "WARN" if item["limit_level"] == "1" else "ALARM"
                yield Key(rule, severity, _process(app), str(app["app_no"]), item=nl_no)

    def _waiting(self, item: Row) -> Iterator[Row]:
        """Give the applications below an item that run and have not come to their connection."""
        for app_no, app in self.apps.items():
            if app["archived_at"] is None and app_no not in self.connected and _is_below(app, item):
                yield app


def _item_firings(nl_no: str, versions: list[Happening], until: int) -> Iterator[tuple[Key, Firing]]:
    """R-N05 to R-N07: what falls due about an item itself."""
    for number, happening in enumerate(versions):
        following = versions[number + 1].at if number + 1 < len(versions) else until + 1
        for rule, severity, due, deadline in _rungs(happening.row):
            at = max(due, happening.at)
            if at < min(following, until + 1):
                by_arrival = due <= happening.at
                yield Key(rule, severity, PROCESS, nl_no, item=nl_no), Firing(at, deadline, by_arrival=by_arrival)


def _rungs(item: Row) -> Iterator[tuple[str, str, int, int]]:
    if item["cleared_at"] is not None:
        return
    plan = end_of(item["plan_finish_at"])  # type: ignore[arg-type]
    yield "R-N05", "WARN", plan - 7 * DAY_MS, plan
    yield "R-N06", "ALARM", plan, plan
    yield "R-N06", "CRITICAL", plan + 30 * DAY_MS, plan
    if item["published_at"] is None:
        deadline = workday_deadline(item["determined_at"], 3)  # type: ignore[arg-type]
        yield "R-N07", "WARN", deadline, deadline


def _is_open(item: Row | None) -> bool:
    """Tell whether an item is published and not cleared; the generator's items say so when it is so."""
    return item is not None and item["published_at"] is not None and item["cleared_at"] is None


def _came_back(item: Row, other: Row) -> bool:
    by = "line_no" if "line_no" in item else "trans_no"
    begun, cleared = item["determined_at"], other["cleared_at"]
    if by not in other or item[by] != other[by] or not isinstance(begun, int) or not isinstance(cleared, int):
        return False
    return 0 <= begun - cleared <= YEAR_MS


def _is_below(app: Row, item: Row) -> bool:
    return app["line_no"] == item["line_no"] if "line_no" in item else app["tg_no"] == item["tg_no"]


def _process(app: Row) -> str:
    return HV if app["volt_class"] == "HV" else LV
