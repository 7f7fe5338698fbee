"""Definition files to `Definitions`: reads folders, reports every fault with file, line and column.

Called by the front door and by tests. Reads files, nothing else; all judgement of content is by the
models and by `rules.fitting`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rules.calendar_overlay import Overlay
from rules.cascade import CascadeFile, cascade_faults, limit_rows
from rules.compiler import Definitions, compile_definitions
from rules.durations import Duration
from rules.evaluation_models import EvaluationFile, evaluation_faults
from rules.fitting import fitting_faults
from rules.indicator_models import IndicatorFile
from rules.loop import Strategies, StrategyFile
from rules.mending import mended, place_set
from rules.message_fitting import message_faults
from rules.message_models import MessageFile
from rules.models import LimitFile, OrphanRule, Process, Rule, RuleFile, TemplateFile
from rules.report_models import ReportFile, report_faults
from rules.reports import Reports
from rules.template_fitting import copies_of
from rules.threshold_fitting import threshold_faults
from rules.vocabulary import Vocabulary
from rules.workdays import state_council_calendar
from schemas import EMPTY, DefinitionError, Fault, Places, YamlPath, load_yaml, pydantic_faults, stands_twice

SHIPPED = Path(__file__).parent / "definitions"
"""The definitions that come with the product."""

KINDS: dict[str, type[BaseModel]] = {
    "process/v1": Process,
    "rules/v1": RuleFile,
    "limits/v1": LimitFile,
    "indicators/v1": IndicatorFile,
    "templates/v1": TemplateFile,
    "calendar/v1": Overlay,
    "cascade/v1": CascadeFile,
    "evaluation/v1": EvaluationFile,
    "strategy/v1": StrategyFile,
    "messages/v1": MessageFile,
    "report/v1": ReportFile,
}
"""Model by the `version` at the top of a file."""

ELSEWHERE = ("codes/v1", "connector/v1", "ogg/v1", "pull/v1", "relay/v1", "source/v1")
"""Versions of the files that other rooms read: who forgets the line learns of these, too."""

KEPT_TEXTS = 256
"""Parsed files that are kept by their text: the shipped ones (about 110), once by path and once as published."""

_VERSION = re.compile(r"^version:[ \t]*(\S+)", re.MULTILINE)
_Kind = TypeVar("_Kind", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One definition file that is well formed by itself."""

    path: str
    model: BaseModel
    places: Places
    text: str = ""

    @property
    def key(self) -> str:
        """Name it among the files of a set: its kind and id."""
        return f"{self.model.version.partition('/')[0]}/{self.model.id}"  # type: ignore[attr-defined]

    @property
    def digest(self) -> str:
        """Name this very text of it."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """Give the short digest of a text, the same everywhere."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Maimed:
    """What could be read of a file that is not well formed, and where something else was put in."""

    file: LoadedFile
    replaced: frozenset[YamlPath]


@dataclass(slots=True)
class DefinitionSet:
    """All files of some folders; a later folder's file replaces one of the same kind and id."""

    files: list[LoadedFile] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Kinds of which a file could not be read: what is not in `files` may be in that one."""
    maimed: list[Maimed] = field(default_factory=list)
    """What could be read of the files that are not well formed, for further faults alone."""

    def put(self, file: LoadedFile) -> None:
        """Take a file in, in place of an earlier one of the same kind and id."""
        for index, other in enumerate(self.files):
            is_same_kind = type(other.model) is type(file.model)
            if is_same_kind and getattr(other.model, "id", other.path) == getattr(file.model, "id", file.path):
                self.files[index] = file
                return
        self.files.append(file)

    def refuse(self, kind: str | None, faults: list[Fault], rest: Maimed | None = None) -> None:
        """Note the faults of a file that is not well formed; a kind that cannot be told may be any."""
        self.faults += faults
        self.maimed += [rest] if rest is not None else []
        self.broken |= {kind} if kind in KINDS else set(KINDS)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Give the models of one kind, later ones in place of earlier ones of the same id."""
        found: dict[str, _Kind] = {}
        for file in self.files:
            if isinstance(file.model, kind):
                found[str(getattr(file.model, "id", file.path))] = file.model
        return list(found.values())


def read_definitions(folders: Sequence[Path], vocabulary: Vocabulary | None = None) -> DefinitionSet:
    """Read every YAML file below the folders (or single files), in sorted order; faults are collected.

    `vocabulary` has the fields of the entities that sources feed, so that misspelt names are faults.
    """
    loaded = DefinitionSet()
    for folder in folders:
        _read_all(_yaml_files([folder]), loaded)
    fit(loaded, vocabulary)
    return loaded


def with_files(base: DefinitionSet, paths: Sequence[Path], vocabulary: Vocabulary | None = None) -> DefinitionSet:
    """Give a set with the files at `paths` in place of those of the same kind and id, or in addition to them."""
    loaded = DefinitionSet(list(base.files))
    _read_all(_yaml_files(paths), loaded)
    fit(loaded, vocabulary)
    return loaded


def read_texts(texts: Iterable[tuple[str, str]]) -> DefinitionSet:
    """Give the set that files are, by name and text, that were read before; they are not fitted again."""
    loaded = DefinitionSet()
    for name, text in texts:
        read_text(text.encode(), name, loaded)
    return loaded


def _read_all(paths: Iterable[Path], loaded: DefinitionSet) -> None:
    """Read files that stand beside one another: two of the same kind and id are a fault, neither means the other."""
    read: dict[str, str] = {}
    for path in paths:
        file = read_file(path, loaded)
        if file is not None and (first := read.setdefault(file.key, file.path)) != file.path:
            kind, _, name = file.key.partition("/")
            said = f"{kind} {name!r} is defined in {first} as well: remove one of them or change its id"
            loaded.faults.append(file.places.fault(("id",), said))


def fit(loaded: DefinitionSet, vocabulary: Vocabulary | None = None) -> None:
    """Add the faults that no single file shows to those of a set, and sort them by place."""
    found = _faults_between(loaded, vocabulary)
    loaded.faults += _with_maimed(loaded, vocabulary, found) if loaded.maimed else found
    loaded.faults.sort(key=lambda fault: (fault.file, fault.line, fault.column, fault.message))


def _with_maimed(loaded: DefinitionSet, vocabulary: Vocabulary | None, without: list[Fault]) -> list[Fault]:
    """Give the faults between the files, those of the maimed among them.

    Of the other files those alone that are also found `without` the maimed: what is found only beside them comes of
    what was put in, and what is found only without them comes of their absence.
    """
    seen = DefinitionSet(list(loaded.files), broken=loaded.broken)
    for rest in loaded.maimed:
        seen.put(rest.file)
    ours = {rest.file.path: place_set(rest.file.places, rest.replaced) for rest in loaded.maimed}
    return [
        fault for fault in _faults_between(seen, vocabulary)
        if (fault in without if fault.file not in ours else (fault.line, fault.column) not in ours[fault.file])
    ]  # fmt: skip


def _faults_between(loaded: DefinitionSet, vocabulary: Vocabulary | None) -> list[Fault]:
    parsed = [(file.model, file.places) for file in loaded.files]
    faults = [*fitting_faults(parsed, vocabulary, loaded.broken), *_calendar_faults(loaded)]
    faults += evaluation_faults(parsed, loaded.broken)
    faults += threshold_faults(parsed, loaded.broken)
    faults += message_faults(parsed, loaded.broken)
    faults += report_faults(parsed, loaded.broken)
    if not loaded.broken & {"limits/v1", "process/v1"}:
        faults += cascade_faults(parsed)
    return faults


def read_file(path: Path, loaded: DefinitionSet) -> LoadedFile | None:
    """Read one file into the set: its model, which is given back, or its faults."""
    name = str(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        loaded.refuse(None, [Fault(name, 1, 1, f"cannot be read: {error.strerror}")])
        return None
    return read_text(text, name, loaded)


def read_text(text: bytes, name: str, loaded: DefinitionSet) -> LoadedFile | None:
    """Read the text of one file into the set: its model, or its faults, whose places have this name."""
    try:
        file = _well_formed(text, name)
    except _IllFormed as error:
        loaded.refuse(error.kind, error.faults, error.rest)
        return None
    loaded.put(file)
    return file


class _IllFormed(DefinitionError):
    """A text that is no definition; `kind` is the version it gives itself, None if it cannot be told."""

    def __init__(self, kind: str | None, faults: list[Fault], rest: Maimed | None = None) -> None:
        super().__init__(faults)
        self.kind, self.rest = kind, rest


@lru_cache(maxsize=KEPT_TEXTS)
def _well_formed(text: bytes, name: str) -> LoadedFile:
    """Give the definition that a text is, which nobody may change; raises `_IllFormed`.

    Kept, because a change of one file publishes a set of which all others are as they were.
    """
    try:
        data, places = load_yaml(text, name)
    except DefinitionError as error:
        found = _VERSION.search(text.decode("utf-8", "replace"))
        raise _IllFormed(found[1].strip("\"'") if found else None, error.faults) from None
    version = str(data.get("version")) if isinstance(data, dict) else ""
    kind = KINDS.get(version)
    if kind is None:
        known = ", ".join(sorted([*KINDS, *ELSEWHERE]))
        said = EMPTY if data is None else f"`version` must be one of {known}"
        raise _IllFormed(None, [places.fault(("version",), said)])
    try:
        return LoadedFile(name, kind.model_validate(data), places, text.decode("utf-8-sig"))
    except ValidationError as error:
        rest = mended(kind, data, error)
        maimed = None if rest is None else Maimed(LoadedFile(name, rest[0], places), rest[1])
        raise _IllFormed(version, pydantic_faults(error, places), maimed) from None


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings choose among the definitions."""

    limits: str = "default"
    calendar: str = "state_council"
    orphan_after: Duration | None = None
    """Replaces what the orphan rule says; None: the rule's own."""
    rule_versions: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """By code, the version that alerts show: of a published rule it rises with every change of it."""
    known_codes: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict, compare=False, repr=False)
    """By entity and field, the codes of the lists that sources write it in; a process's own `codes` win."""


def _calendar_faults(loaded: DefinitionSet) -> list[Fault]:
    """Give the calendars that processes name and no file has."""
    known = sorted(overlay.id for overlay in loaded.of(Overlay))
    return [
        file.places.fault(("calendar",), f"no calendar {file.model.calendar!r}; known are {', '.join(known)}")
        for file in loaded.files
        if isinstance(file.model, Process)
        and file.model.calendar not in {None, *known}
        and "calendar/v1" not in loaded.broken
    ]


class UnknownChoice(DefinitionError):
    """The definitions lack what was chosen; `by_setting` has the fault of each setting."""

    def __init__(self, by_setting: dict[str, Fault]) -> None:
        super().__init__(list(by_setting.values()))
        self.by_setting = by_setting


def load_definitions(
    folders: Sequence[Path] = (SHIPPED,), choice: Choice = Choice(), vocabulary: Vocabulary | None = None
) -> Definitions:
    """Give the compiled definitions of the folders. Raises DefinitionError with every fault."""
    loaded = read_definitions(folders, vocabulary)
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    return compiled(loaded, choice)


def compiled(loaded: DefinitionSet, choice: Choice = Choice()) -> Definitions:
    """Give the compiled definitions of a set without faults. Raises UnknownChoice for a choice it does not have."""
    sets = {file.id: file for file in loaded.of(LimitFile)}
    calendars = {overlay.id: overlay for overlay in loaded.of(Overlay)}
    faults = {
        what: Fault("settings", 1, 1, f"no {what} {name!r}; known are {', '.join(sorted(known))}")
        for what, name, known in (("limits", choice.limits, sets), ("calendar", choice.calendar, calendars))
        if name not in known
    }
    if faults:
        raise UnknownChoice(faults)
    templates, own_templates = copies_of(loaded.of(TemplateFile))
    named = {process.calendar for process in loaded.of(Process) if process.calendar}
    calendar = state_council_calendar(calendars[choice.calendar])
    made = compile_definitions(
        [_with_codes(process, choice) for process in loaded.of(Process)],
        [_chosen(rule, choice) for file in loaded.of(RuleFile) for rule in file.rules],
        limit_rows([file.model for file in loaded.files], choice.limits),
        limits_id=choice.limits,
        calendar=calendar,
        calendars={name: state_council_calendar(calendars[name]) for name in named},
        templates=templates,
        units=[file for file in loaded.of(CascadeFile) if file.base == choice.limits],
        messages=[message for file in loaded.of(MessageFile) for message in file.messages],
        indicators=[i for file in loaded.of(IndicatorFile) for i in file.indicators],
        versions=choice.rule_versions,
        digest=digest_of("\n".join([str(choice), *sorted(f"{file.key}@{file.digest}" for file in loaded.files)])),
    )
    strategies = Strategies.of(loaded.of(StrategyFile), calendar)
    indicators = made.thresholds.indicators.values()
    reports = Reports.of(loaded.of(ReportFile), indicators, calendar)
    return replace(made, own_templates=own_templates, strategies=strategies, reports=reports)


def _with_codes(process: Process, choice: Choice) -> Process:
    listed = {name: sorted(codes) for name, codes in choice.known_codes.get(process.entity, {}).items()}
    return process.model_copy(update={"codes": {**listed, **process.codes}})


def _chosen(rule: Rule, choice: Choice) -> Rule:
    changed: dict[str, object] = {}
    if isinstance(rule, OrphanRule) and choice.orphan_after is not None:
        changed["after"] = str(choice.orphan_after)
    if rule.code in choice.rule_versions:
        changed["version"] = choice.rule_versions[rule.code]
    return rule.model_copy(update=changed) if changed else rule


def _yaml_files(folders: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if folder.is_dir():
            found = (p for p in folder.rglob("*") if p.suffix in {".yaml", ".yml"})
            files += sorted(p for p in found if not stands_twice(p, folder))
        else:
            files.append(folder)
    return files


def tests_of(file: LoadedFile) -> list[tuple[int, dict[str, Any]]]:
    """Give the tests of a file, each with its line."""
    tests = getattr(file.model, "tests", [])
    return [
        (file.places.at(("tests", i))[0], t if isinstance(t, dict) else t.model_dump()) for i, t in enumerate(tests)
    ]
