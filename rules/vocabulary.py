"""Whether the names in definitions mean something: fields and entities that sources feed, roles, references.

What sources feed is handed in by the front door, since `rules` does not see `connectors`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel

from rules.indicator_models import IndicatorFile
from rules.message_models import Message, MessageFile
from rules.models import (
    DeadlineRule,
    LimitFile,
    Process,
    Rule,
    RuleFile,
    TemplateFile,
)
from rules.reference import JUDGED, LINKED
from rules.routing import ROLES
from rules.row_fields import name_uses
from rules.row_models import RowGround
from schemas import Fault, Places

Vocabulary = Mapping[str, Collection[str]]
"""Entity to the names of its fields, of all entities that a source feeds."""

_Path = tuple[str | int, ...]

BUILT_IN = (
    JUDGED | frozenset(LINKED) | {"visit", "tg_manager", "customer_manager"}
    | {"org", "subs", "bus", "bay", "line", "cons_tg"}
)  # fmt: skip
"""Entities that the product knows without a definition: those it looks up, and the topology it is fed."""

OF_CUSTOMER = frozenset({"cons_type"})
"""Fields that the conditions of limits see beside those of the instance's own row."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the definitions define, and of which kinds a file could not be read."""

    processes: dict[str, Process]
    templates: frozenset[str]
    codes: frozenset[str]
    broken: frozenset[str]

    @classmethod
    def of(cls, models: Sequence[BaseModel], broken: frozenset[str]) -> Known:
        """Gather the names of the models."""
        return cls(
            {m.id: m for m in models if isinstance(m, Process)},
            frozenset(name for m in models if isinstance(m, TemplateFile) and m.org is None for name in m.templates),
            frozenset(r.code for m in models if isinstance(m, RuleFile) for r in m.rules),
            broken,
        )

    def lacks_process(self, name: str) -> bool:
        """Tell whether no file can define the process."""
        return name not in self.processes and "process/v1" not in self.broken

    def lacks_template(self, name: str) -> bool:
        """Tell whether no file can define the message template."""
        return name not in self.templates and "templates/v1" not in self.broken

    def lacks_rule(self, code: str) -> bool:
        """Tell whether no file can define the rule."""
        return code not in self.codes and "rules/v1" not in self.broken

    def entities(self, processes: Iterable[str]) -> list[str]:
        """Give the entities of the processes that are known, each once."""
        return list(dict.fromkeys(self.processes[name].entity for name in processes if name in self.processes))


def known_entities(models: Iterable[BaseModel]) -> frozenset[str]:
    """Give every entity that some definition or the product itself reads."""
    found = set(BUILT_IN)
    for model in models:
        if isinstance(model, Process):
            found |= {model.entity, *(awaited.entity for stage in model.stages for awaited in stage.waits_for)}
        elif isinstance(model, RuleFile):
            for rule in model.rules:
                found |= {use.entity for use in name_uses(rule) if use.entity}
                if isinstance(rule, DeadlineRule):
                    due = rule.due
                    found |= {name for name in (rule.restarts_on, due and due.reference, due and due.through) if name}
        elif isinstance(model, MessageFile):
            found |= {entity for each in model.messages for entity in each.entities}
    return frozenset(found)


def nearest_first(name: str, known: Iterable[str]) -> str:
    """Give the known names for a message, those most like `name` first."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3)
    return ", ".join([*near, *(other for other in names if other not in near)])


def name_faults(model: BaseModel, places: Places, known: Known, vocabulary: Vocabulary | None) -> Iterator[Fault]:
    """Give the names in one file that nobody knows; without a vocabulary, of roles only."""
    if isinstance(model, RuleFile):
        yield from _unknown_roles(model, places)
    if vocabulary is None:
        return
    names = _Names(places, vocabulary)
    if isinstance(model, Process):
        yield from _of_process(model, names)
    elif isinstance(model, LimitFile):
        yield from _of_limits(model, known, names)
    elif isinstance(model, IndicatorFile):
        yield from _of_indicators(model, known, names)
    elif isinstance(model, RuleFile):
        for index, rule in enumerate(model.rules):
            yield from _of_rule(rule, ("rules", index), known.entities(rule.processes), names)
    elif isinstance(model, MessageFile):
        for index, message in enumerate(model.messages):
            yield from _of_message(message, ("messages", index), known.entities(message.processes), names)


def _of_rule(rule: Rule, path: _Path, entities: list[str], names: _Names) -> Iterator[Fault]:
    if isinstance(rule, DeadlineRule) and not rule.is_of_rows:
        yield from _of_deadline(rule, path, entities, names)
    elif isinstance(rule, RowGround):
        yield from _of_rows(rule, path, entities, names)


def _of_indicators(file: IndicatorFile, known: Known, names: _Names) -> Iterator[Fault]:
    for index, indicator in enumerate(file.indicators):
        path = ("indicators", index)
        entities = [indicator.each] if indicator.each else known.entities(indicator.processes)
        yield from names.entity(indicator.each, (*path, "each"))
        for name in ("field", "over", "sum"):
            own = known.entities(indicator.processes) if indicator.stage else entities
            yield from names.fields(own, getattr(indicator, name), (*path, name))
        for name in indicator.when if indicator.kind not in {"stage_share", "stage_on_time"} else ():
            yield from names.fields(entities, name, (*path, "when", name), key=True)


def _of_limits(file: LimitFile, known: Known, names: _Names) -> Iterator[Fault]:
    for index, row in enumerate(file.rows):
        for name in (name for name in row.when if name not in OF_CUSTOMER):
            yield from names.fields(known.entities([row.process]), name, ("rows", index, "when", name), key=True)


def _of_process(process: Process, names: _Names) -> Iterator[Fault]:
    yield from names.entity(process.entity, ("entity",))
    for field in ("when", "codes"):
        for name in getattr(process, field):
            yield from names.fields([process.entity], name, (field, name), key=True)
    yield from names.each([process.entity], process.over_when, ("over_when",))
    for index, stage in enumerate(process.stages):
        for number, awaited in enumerate(stage.waits_for):
            path = ("stages", index, "waits_for", number)
            yield from names.entity(awaited.entity, (*path, "entity"))
            for name in awaited.when:
                yield from names.fields([awaited.entity], name, (*path, "when", name), key=True)


def _unknown_roles(file: RuleFile, places: Places) -> Iterator[Fault]:
    for index, rule in enumerate(file.rules):
        for number, role in enumerate(rule.tell):
            if role not in ROLES:
                message = f"no role {role!r}; known are {nearest_first(role, ROLES)}"
                yield places.fault(("rules", index, "tell", number), message)


def _of_deadline(rule: DeadlineRule, path: _Path, entities: list[str], names: _Names) -> Iterator[Fault]:
    if isinstance(rule.start, str) and rule.start != "entered_at":
        yield from names.fields(entities, rule.start, (*path, "start"))
    yield from names.each(entities, rule.until, (*path, "until"))
    yield from names.entity(rule.restarts_on, (*path, "restarts_on"))
    if rule.due is None:
        return
    due, path = rule.due, (*path, "due")
    yield from names.entity(due.reference, (*path, "reference"))
    yield from names.entity(due.through, (*path, "through"))
    yield from names.fields([due.reference] if due.reference else entities, due.field, (*path, "field"))
    if due.through:
        yield from names.fields([due.through], due.key, (*path, "key"))


def _of_rows(rule: Rule, path: _Path, entities: list[str], names: _Names) -> Iterator[Fault]:
    """Give the names in a rule about rows that no source feeds; one name in two places is reported at both."""
    each = rule.each if isinstance(rule, RowGround) else None
    own = [each] if each else entities
    for use in name_uses(rule):
        place = (*path, *use.path)
        if use.field is None:
            yield from names.entity(use.entity or None, place)
        elif use.or_own and any(use.field in names.vocabulary.get(entity, ()) for entity in entities):
            continue
        else:
            yield from names.fields([use.entity] if use.entity else own, use.field, place, key=use.is_key)


def _of_message(message: Message, path: _Path, own: list[str], names: _Names) -> Iterator[Fault]:
    rows = [message.each] if message.each else own
    yield from names.entity(message.each, (*path, "each"))
    for name in message.when:
        yield from names.fields(rows, name, (*path, "when", name), key=True)
    yield from names.each(rows, message.until, (*path, "until"))
    yield from names.each(rows, message.once_per, (*path, "once_per"))
    if isinstance(message.at, str):
        yield from names.fields(rows, message.at, (*path, "at"))
    for place, told in message.row_times:
        yield from names.entity(told.entity, (*path, *place, "entity"))
        yield from names.fields([told.entity], told.field, (*path, *place, "field"))
        for part in ("when", "match", "covers"):
            for name in getattr(told, part):
                yield from names.fields([told.entity], name, (*path, *place, part, name), key=True)
        for part, pairs in (("match", told.match), ("covers", told.covers)):
            for name, field in pairs.items():
                yield from names.fields(rows, field, (*path, *place, part, name))
    for name, field in message.values.items():
        if not any(field in names.vocabulary.get(entity, ()) for entity in own):
            yield from names.fields(rows, field, (*path, "values", name))


@dataclass(frozen=True, slots=True)
class _Names:
    """Looks names of one file up in the vocabulary."""

    places: Places
    vocabulary: Vocabulary

    def entity(self, name: str | None, path: _Path) -> Iterator[Fault]:
        if name is not None and name.partition("@")[0] not in self.vocabulary:  # @: as another source tells it
            known = nearest_first(name, self.vocabulary)
            yield self.places.fault(path, f"no source has an entity {name!r}; known are {known}")

    def each(self, entities: Iterable[str], fields: Sequence[str], path: _Path) -> Iterator[Fault]:
        for index, name in enumerate(fields):
            yield from self.fields(entities, name, (*path, index))

    def fields(self, entities: Iterable[str], name: str | None, path: _Path, *, key: bool = False) -> Iterator[Fault]:
        """Check one field of all the entities; an entity that is itself unknown was reported where it stands."""
        for entity in entities:
            known = self.vocabulary.get(entity)
            if name is not None and known is not None and name not in known:
                message = f"{entity} has no field {name!r}; known are {nearest_first(name, known)}"
                yield self.places.fault(path, message, key=key)
