"""Definition files to `Definitions`: reads folders, reports every fault with file, line and column.

Called by the front door and by tests. Reads files, nothing else; all judgement of content is by the
models and by `rules.fitting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rules.calendar_overlay import Overlay
from rules.compiler import Definitions, compile_definitions
from rules.durations import Duration
from rules.fitting import fitting_faults
from rules.models import IndicatorFile, LimitFile, OrphanRule, Process, Rule, RuleFile, TemplateFile
from rules.workdays import state_council_calendar
from schemas import DefinitionError, Fault, Places, load_yaml, pydantic_faults

SHIPPED = Path(__file__).parent / "definitions"
"""The definitions that come with the product."""

KINDS: dict[str, type[BaseModel]] = {
    "process/v1": Process,
    "rules/v1": RuleFile,
    "limits/v1": LimitFile,
    "indicators/v1": IndicatorFile,
    "templates/v1": TemplateFile,
    "calendar/v1": Overlay,
}
"""Model by the `version` at the top of a file."""

_Kind = TypeVar("_Kind", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One definition file that is well formed by itself."""

    path: str
    model: BaseModel
    places: Places


@dataclass(slots=True)
class DefinitionSet:
    """All files of some folders; a later folder's file replaces one of the same kind and id."""

    files: list[LoadedFile] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Give the models of one kind, later ones in place of earlier ones of the same id."""
        found: dict[str, _Kind] = {}
        for file in self.files:
            if isinstance(file.model, kind):
                found[str(getattr(file.model, "id", file.path))] = file.model
        return list(found.values())


def read_definitions(folders: Sequence[Path]) -> DefinitionSet:
    """Read every YAML file below the folders (or single files), in sorted order; faults are collected."""
    loaded = DefinitionSet()
    for path in _yaml_files(folders):
        read_file(path, loaded)
    if not loaded.faults:
        loaded.faults += fitting_faults([(file.model, file.places) for file in loaded.files])
    return loaded


def read_file(path: Path, loaded: DefinitionSet) -> None:
    """Read one file into the set: its model, or its faults."""
    name = str(path)
    try:
        data, places = load_yaml(path.read_bytes(), name)
    except DefinitionError as error:
        loaded.faults += error.faults
        return
    except OSError as error:
        loaded.faults.append(Fault(name, 1, 1, f"cannot be read: {error.strerror}"))
        return
    kind = KINDS.get(str(data.get("version"))) if isinstance(data, dict) else None
    if kind is None:
        known = ", ".join(sorted(KINDS))
        loaded.faults.append(places.fault(("version",), f"`version` must be one of {known}"))
        return
    try:
        loaded.files.append(LoadedFile(name, kind.model_validate(data), places))
    except ValidationError as error:
        loaded.faults += pydantic_faults(error, places)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings choose among the definitions."""

    limits: str = "default"
    calendar: str = "state_council"
    orphan_after: Duration | None = None
    """Replaces what the orphan rule says; None: the rule's own."""


def load_definitions(folders: Sequence[Path] = (SHIPPED,), choice: Choice = Choice()) -> Definitions:
    """Give the compiled definitions of the folders. Raises DefinitionError with every fault."""
    loaded = read_definitions(folders)
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    return compiled(loaded, choice)


def compiled(loaded: DefinitionSet, choice: Choice = Choice()) -> Definitions:
    """Give the compiled definitions of a set without faults. Raises DefinitionError for a choice it does not have."""
    sets = {file.id: file for file in loaded.of(LimitFile)}
    calendars = {overlay.id: overlay for overlay in loaded.of(Overlay)}
    faults = [
        Fault("settings", 1, 1, f"no {what} {name!r}; known are {', '.join(sorted(known))}")
        for what, name, known in (("limits", choice.limits, sets), ("calendar", choice.calendar, calendars))
        if name not in known
    ]
    if faults:
        raise DefinitionError(faults)
    templates: dict[str, str] = {}
    for file in loaded.of(TemplateFile):
        templates.update(file.templates)
    return compile_definitions(
        loaded.of(Process),
        [_chosen(rule, choice) for file in loaded.of(RuleFile) for rule in file.rules],
        sets[choice.limits].rows,
        limits_id=choice.limits,
        calendar=state_council_calendar(calendars[choice.calendar]),
        templates=templates,
        indicators=[i for file in loaded.of(IndicatorFile) for i in file.indicators],
    )


def _chosen(rule: Rule, choice: Choice) -> Rule:
    if isinstance(rule, OrphanRule) and choice.orphan_after is not None:
        return rule.model_copy(update={"after": str(choice.orphan_after)})
    return rule


def _yaml_files(folders: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            files += sorted(p for p in folder.rglob("*") if p.suffix in {".yaml", ".yml"})
        else:
            files.append(folder)
    return files


def tests_of(file: LoadedFile) -> list[tuple[int, dict[str, Any]]]:
    """Give the tests of a file, each with its line."""
    tests = getattr(file.model, "tests", [])
    return [
        (file.places.at(("tests", i))[0], t if isinstance(t, dict) else t.model_dump()) for i, t in enumerate(tests)
    ]
