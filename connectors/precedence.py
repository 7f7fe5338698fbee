"""Which system is believed where several tell the same thing: a setting, and what it makes of the tables.

An entity that several sources feed is fed to the rules by one of them, the first of its list that is declared; rows
of the others keep their source in the entity's name (`visit@lean`): they stand beside, are compared (R-D04) and never
overwrite. Called by `connectors.sources`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from connectors.source_models import SourceModel
from schemas import Fault

Precedence = Mapping[str, Sequence[str]]
"""Entity, or one of its fields (`negative_item.published_at`), to sources, the most believed first."""


class Telling(NamedTuple):
    """What the declared tables tell of one entity."""

    sources: set[str]
    fields: set[str]


DEFAULT_PRECEDENCE: Precedence = {
    "application": ("mkt", "lean"),
    "visit": ("mkt", "lean"),
    "negative_item": ("lean", "mkt"),
    "negative_item.published_at": ("mkt", "lean"),
    "evaluation": ("opm", "lean"),
    "evaluation_sum": ("opm", "lean"),
}
"""Progress and applications as marketing has them, determination of list items as the lean platform has it, their
publication as marketing, evaluation as operations monitoring. Rectification has one source (opm)."""


def tellings(models: Iterable[SourceModel]) -> dict[str, Telling]:
    """Give per entity the sources that tell it, and the fields that they tell of it."""
    found: dict[str, Telling] = {}
    for model in models:
        for table in model.tables.values():
            fields = {column.field or name.lower() for name, column in table.columns.items()} | table.constants.keys()
            fields |= {field for each in table.columns.values() if each.also for field in each.also.fields.values()}
            told = [(table.entity, fields)]
            told += [(view.entity, fields | set(filter(None, view.columns.values()))) for view in table.also]
            for entity, each in told:
                telling = found.setdefault(entity, Telling(set(), set()))
                telling.sources.add(model.source.lower())
                telling.fields.update(each)
    return found


def entity_of(entity: str, source: str, precedence: Precedence, declared: Collection[str]) -> str:
    """Give the name under which rows of a source's table go; `declared`: the sources that feed the entity."""
    order = [name for name in precedence.get(entity, ()) if name in declared]
    return f"{entity}@{source}" if source in order[1:] else entity


def believed_first(precedence: Precedence, feeds: Collection[tuple[str, str]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Give by entity and field the rows beside (`negative_item@mkt`) that are believed before the entity's own.

    `feeds`: entity, as its rows go under, and source of every table and view.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, order in precedence.items():
        entity, dot, field = name.partition(".")
        own = [at for at, source in enumerate(order) if (entity, source) in feeds]
        before = order[: own[0] if own else len(order)] if dot else ()
        beside = tuple(f"{entity}@{source}" for source in before if (f"{entity}@{source}", source) in feeds)
        if beside:
            found.setdefault(entity, {})[field] = beside
    return found


def read_precedence(
    setting: Mapping[str, object], sources: Collection[str], told: Mapping[str, Telling], faults: list[Fault]
) -> Precedence:
    """Give the default order with what the `precedence` setting says instead; adds a fault for what it is not.

    `told`: what the sources tell of each entity.
    """
    found = dict(DEFAULT_PRECEDENCE)
    for name, order in setting.items():
        faults += [Fault("settings", 1, 1, f"precedence.{name}: {why}") for why in _unknown(name, told)]
        if not isinstance(order, list | tuple) or not order or not all(isinstance(each, str) for each in order):
            faults.append(Fault("settings", 1, 1, f"precedence.{name}: write a list of sources, e.g. [mkt, lean]"))
            continue
        for each in (each for each in order if each not in sources):
            near = get_close_matches(each, sources, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            known = ", ".join(sorted(sources))
            faults.append(Fault("settings", 1, 1, f"precedence.{name}: no source '{each}'{hint}; known are {known}"))
        entity = told.get(name.partition(".")[0])
        for each in (each for each in order if entity is not None and each in sources and each not in entity.sources):
            who = ", ".join(sorted(entity.sources)) if entity is not None else ""
            faults.append(Fault("settings", 1, 1, f"precedence.{name}: {each} does not tell it; {who} do"))
        found[name] = tuple(order)
    return found


def _unknown(name: str, told: Mapping[str, Telling]) -> Iterator[str]:
    """Give what is wrong with an entity's name, or with its field's."""
    entity, dot, field = name.partition(".")
    kind, wanted, known = (
        ("entity", entity, told.keys()) if entity not in told else ("field", field, told[entity].fields)
    )
    if wanted not in known and (dot or kind == "entity"):
        near = ", ".join(get_close_matches(wanted, known, n=3)) or ", ".join(sorted(known))
        yield f"no {kind} '{wanted}'; near are {near}"
