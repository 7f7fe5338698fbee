"""Which system is believed where several tell the same thing: a setting, and what it makes of the tables.

An entity that several sources feed is fed to the rules by one of them, the first of its list that is declared; rows
of the others keep their source in the entity's name (`visit@lean`): they stand beside, are compared (R-D04) and never
overwrite. Called by `connectors.sources`.
"""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from schemas import Fault

Precedence = Mapping[str, Sequence[str]]
"""Entity, or one of its fields (`negative_item.published_at`), to sources, the most believed first."""

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


def entity_of(entity: str, source: str, precedence: Precedence, declared: Collection[str]) -> str:
    """Give the name under which rows of a source's table go; `declared`: the sources that feed the entity."""
    order = [name for name in precedence.get(entity, ()) if name in declared]
    return f"{entity}@{source}" if source in order[1:] else entity


def read_precedence(setting: Mapping[str, object], sources: Collection[str], faults: list[Fault]) -> Precedence:
    """Give the default order with what the `precedence` setting says instead; adds a fault for what it is not."""
    found = dict(DEFAULT_PRECEDENCE)
    for name, order in setting.items():
        if not isinstance(order, list | tuple) or not order or not all(isinstance(each, str) for each in order):
            faults.append(Fault("settings", 1, 1, f"precedence.{name}: write a list of sources, e.g. [mkt, lean]"))
            continue
        for each in (each for each in order if each not in sources):
            near = get_close_matches(each, sources, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            known = ", ".join(sorted(sources))
            faults.append(Fault("settings", 1, 1, f"precedence.{name}: no source '{each}'{hint}; known are {known}"))
        found[name] = tuple(order)
    return found
