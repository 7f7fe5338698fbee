"""The two versions that a backtest compares: the definitions in effect, and the same with a change in their place.

Every process of a backtest compiles them from the same texts: compiled definitions hold closures, which cannot be
sent. Where the change touches some rules only, the others are left out of both versions: they raise the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from connectors import SourceCatalog
from rules import (
    Choice,
    Definitions,
    DefinitionSet,
    LimitFile,
    Process,
    RuleFile,
    compiled,
    only,
    read_definitions,
    read_texts,
    touched_rules,
    with_files,
)
from stagewatch.cli_replay import sources_of
from stagewatch.in_effect import InEffect, in_effect
from stagewatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """What is tried: files that replace those of the same kind and id, or come in addition."""

    paths: tuple[Path, ...]
    limits: str | None = None
    """Limit template of the changed version; None: the one in effect."""
    calendar: str | None = None
    """Calendar of the changed version; None: the one in effect."""


class Book(NamedTuple):
    """One version, as it can be sent to another process."""

    texts: tuple[tuple[str, str], ...]
    """Name and text of each file."""
    choice: Choice

    def read(self) -> DefinitionSet:
        """Give the files."""
        return read_texts(self.texts)


class Books(NamedTuple):
    """Both versions, and what of them is judged."""

    running: Book
    changed: Book
    touched: frozenset[str] | None
    """Codes of the rules that are judged: the others are the same in both. None: all are, also if nothing differs."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Both versions, compiled."""

    running: Definitions
    changed: Definitions
    sources: SourceCatalog
    left_out: frozenset[str] = frozenset()
    """Entities of processes that no judged rule is about: their rows need not be read."""


def books_of(settings: Settings, change: Change, *, is_whole: bool = False) -> Books:
    """Give both versions: what is in effect (published, else the folders'), and that with the change.

    `is_whole`: all rules are judged, also those that the change does not touch. Raises DefinitionError with every
    fault of the changed version, SettingError for a setting, TryLater if the broker does not answer.
    """
    running = in_effect(settings, sources_of(settings))
    base, choice = running.files, running.choice
    changed = with_files(base, change.paths)
    tried = replace(choice, limits=change.limits or choice.limits, calendar=change.calendar or choice.calendar)
    for each in (running, InEffect(changed, tried)):
        each.compiled()  # without faults, and with what is chosen, before anything is compared
    is_same_but_rules = choice.calendar == tried.calendar and not is_whole
    touched = touched_rules((base, choice.limits), (changed, tried.limits)) if is_same_but_rules else None
    return Books(_book(base, choice), _book(changed, tried), touched or None)


def _book(loaded: DefinitionSet, choice: Choice) -> Book:
    return Book(tuple((file.path, file.text) for file in loaded.files), choice)


def load_versions(settings: Settings, books: Books) -> Versions:
    """Give both versions, ready to judge by."""
    whole = [book.read() for book in (books.running, books.changed)]
    sets = whole if books.touched is None else [only(loaded, books.touched) for loaded in whole]
    running, changed = (compiled(s, book.choice) for s, book in zip(sets, (books.running, books.changed), strict=True))
    return Versions(running, changed, sources_of(settings), _entities(whole) - _entities(sets))


def _entities(sets: Iterable[DefinitionSet]) -> frozenset[str]:
    return frozenset(process.entity for loaded in sets for process in loaded.of(Process))


def idle_limits(change: Change, books: Books) -> list[str]:
    """Give the limit templates of the change that nobody chose, so that they change nothing; for a warning."""
    found = [file.id for file in read_definitions(change.paths).of(LimitFile)]
    return [name for name in found if name != books.changed.choice.limits]


def rule_titles(books: Books) -> dict[str, str]:
    """Give the titles of all rules, by code."""
    return {rule.code: rule.title for file in books.changed.read().of(RuleFile) for rule in file.rules}
