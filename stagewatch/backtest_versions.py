"""The two versions that a backtest compares: the definitions that run, and the same with a change in their place.

Every process of a backtest makes its own from the same paths: compiled definitions hold closures, which cannot be
sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from connectors import SourceCatalog
from rules import Choice, Definitions, DefinitionSet, LimitFile, RuleFile, compiled, read_definitions
from schemas import DefinitionError
from stagewatch.cli_replay import load_everything
from stagewatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """What is tried: files that replace those of the same kind and id, or come in addition."""

    paths: tuple[Path, ...]
    limits: str | None = None
    """Limit template of the changed version; None: that of the settings."""
    calendar: str | None = None
    """Calendar of the changed version; None: that of the settings."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Both versions, compiled."""

    running: Definitions
    changed: Definitions
    sources: SourceCatalog


def load_versions(settings: Settings, change: Change) -> Versions:
    """Give both versions. Raises DefinitionError with every fault of the changed one, SettingError for a setting."""
    running, sources = load_everything(settings)
    loaded = changed_set(settings, change)
    choice = Choice(
        limits=change.limits or settings.limits,
        calendar=change.calendar or settings.calendar,
        orphan_after=settings.orphan_after,
    )
    return Versions(running, compiled(loaded, choice), sources)


def changed_set(settings: Settings, change: Change) -> DefinitionSet:
    """Give the files of the changed version. Raises DefinitionError."""
    loaded = read_definitions([*settings.definitions, *change.paths])
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    return loaded


def idle_limits(settings: Settings, change: Change) -> list[str]:
    """Give the limit templates of the change that nobody chose, so that they change nothing; for a warning."""
    chosen = change.limits or settings.limits
    found = [file.id for file in read_definitions(change.paths).of(LimitFile)]
    return [name for name in found if name != chosen]


def rule_titles(settings: Settings, change: Change) -> dict[str, str]:
    """Give the titles of all rules, by code."""
    return {rule.code: rule.title for file in changed_set(settings, change).of(RuleFile) for rule in file.rules}
