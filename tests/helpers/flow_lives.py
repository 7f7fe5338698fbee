"""Made-up lives of HV applications with returns, parallel stages and every kind of deviation; seeded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from schemas import Change
from tests.helpers.builders import MONDAY, ms

HOUR = 3_600_000
HANDLERS, UNITS = 7, 3


@dataclass(frozen=True, slots=True)
class Went:
    """One visit of a stage."""

    stage: str
    entered_at: int
    finished_at: int
    result: str = "ok"
    handler: str = "H0"


@dataclass(slots=True)
class Life:
    """One application that was archived."""

    key: str
    org_no: str
    visits: list[Went] = field(default_factory=list)

    @property
    def archived_at(self) -> int:
        return max(visit.finished_at for visit in self.visits) + HOUR


class _Teller:
    def __init__(self, rng: Random, life: Life, at: int) -> None:
        self._rng, self._life, self.at = rng, life, at

    def go(self, stage: str, result: str = "ok", *, beside: bool = False) -> None:
        entered = self.at + self._length(0.1, 20)
        finished = entered + self._length(1, 300)
        handler = f"H{self._rng.randrange(HANDLERS)}"
        self._life.visits.append(Went(stage, entered, finished, result, handler))
        if not beside:
            self.at = finished

    def _length(self, least_h: float, most_h: float) -> int:
        return int(self._rng.uniform(least_h, most_h) * HOUR)

    def likely(self, share: float) -> bool:
        return self._rng.random() < share


def lives(seed: int, count: int) -> list[Life]:
    """Give lives; about half of them deviate."""
    rng = Random(seed)
    found = []
    for number in range(count):
        life = Life(f"A{number:05d}", f"334010{1 + number % UNITS}")
        _tell(_Teller(rng, life, ms(MONDAY) + int(rng.uniform(0, 2_000) * HOUR)))
        if rng.random() < 0.5:
            rng.choice((_lose, _hurry, _repeat, _ignore))(rng, life)
        found.append(life)
    return found


def _tell(teller: _Teller) -> None:
    if teller.likely(0.2):
        teller.go("RESERVE")
    teller.go("ACCEPT")
    teller.go("SURVEY", beside=True)
    for stage in ("SCHEME", "DESIGN"):
        teller.go(stage)
    while teller.likely(0.25):
        teller.go("DESIGN_REVIEW", "rejected")
        teller.go("DESIGN")
    teller.go("DESIGN_REVIEW")
    for stage in ("SUPERVISE", "MID_INSPECT"):
        if teller.likely(0.3):
            teller.go(stage, beside=True)
    teller.go("BUILD")
    while teller.likely(0.15):
        teller.go("TEST", "rejected")
        teller.go("BUILD")
    teller.go("TEST")
    while teller.likely(0.25):
        teller.go("COMPLETE", "rejected")
        if teller.likely(0.5):
            teller.go("BUILD")
        teller.go("TEST")
    for stage in ("COMPLETE", "CONNECT", "ARCHIVE"):
        teller.go(stage)


def _lose(rng: Random, life: Life) -> None:
    """A stage left no record."""
    lost = rng.choice(["ACCEPT", "SURVEY", "SCHEME", "DESIGN", "BUILD", "TEST", "CONNECT", "ARCHIVE"])
    life.visits = [visit for visit in life.visits if visit.stage != lost]


def _hurry(rng: Random, life: Life) -> None:
    """A stage was entered before the one before it had ended."""
    pairs = [
        (before, after)
        for before, after in (("ACCEPT", "SCHEME"), ("SCHEME", "DESIGN"), ("BUILD", "TEST"), ("COMPLETE", "CONNECT"))
    ]
    before, after = rng.choice(pairs)
    number = max(n for n, visit in enumerate(life.visits) if visit.stage == after)
    ended = max(
        v.finished_at for v in life.visits if v.stage == before and v.entered_at < life.visits[number].entered_at
    )
    life.visits[number] = replace(life.visits[number], entered_at=ended - HOUR // 4)


def _repeat(rng: Random, life: Life) -> None:
    """A stage was gone through again without a rejection."""
    visit = rng.choice([visit for visit in life.visits if visit.stage in {"SURVEY", "SCHEME", "DESIGN", "CONNECT"}])
    begin = life.archived_at
    life.visits.append(replace(visit, entered_at=begin, finished_at=begin + HOUR, result="ok"))


def _ignore(_rng: Random, life: Life) -> None:
    """A rejection was passed over."""
    number = max(n for n, visit in enumerate(life.visits) if visit.stage == "DESIGN_REVIEW")
    life.visits[number] = replace(life.visits[number], result="rejected")


def changes_of(told: Iterable[Life]) -> list[Change]:
    """Give the changes that tell these lives, in order of arrival; each arrives when it happens."""
    rows = sorted((row for life in told for row in _rows(life)), key=lambda row: row[0])
    return [
        Change(entity, key, name, "u", position + 1, at, f"cdc.{entity}", 0, position, fields)
        for position, (at, entity, key, name, fields) in enumerate(rows)
    ]


def _rows(life: Life) -> Iterator[tuple[int, str, str, str, dict[str, Any]]]:
    main = {
        "app_no": life.key,
        "volt_class": "HV",
        "org_no": life.org_no,
        "status_code": "running",
        "archived_at": None,
    }
    first = min(visit.entered_at for visit in life.visits)
    yield first, "application", life.key, life.key, main
    ended = {**main, "status_code": "archived", "archived_at": life.archived_at}
    yield life.archived_at, "application", life.key, life.key, ended
    seen: dict[str, int] = {}
    for visit in sorted(life.visits, key=lambda each: each.entered_at):
        number = seen[visit.stage] = seen.get(visit.stage, 0) + 1
        row = {
            "stage": visit.stage, "visit": number, "entered_at": visit.entered_at, "finished_at": None, "result": None,
            "suspend_from": None, "suspend_to": None, "dept": None, "handler": visit.handler,
        }  # fmt: skip
        name = f"{life.key}-{visit.stage}-{number}"
        yield visit.entered_at, "visit", life.key, name, row
        yield visit.finished_at, "visit", life.key, name, {
            **row, "finished_at": visit.finished_at, "result": visit.result,
        }  # fmt: skip
