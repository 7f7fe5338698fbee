"""What is wrong with messages, each by itself and among the other files; with the place of each fault."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import BaseModel

from rules.durations import parse_duration
from rules.engine.conditions import compile_condition
from rules.engine.message_values import OF_STAGE
from rules.message_kinds import parameters_for
from rules.message_models import Message, MessageFile
from rules.models import Process, TemplateFile
from rules.routing import MESSAGE_ROLES
from schemas import Fault, Places

Path = tuple[str | int, ...]
Parsed = tuple[BaseModel, Places]


def message_faults(files: Sequence[Parsed], broken: Collection[str] = ()) -> Iterator[Fault]:
    """Give the faults of all messages; `broken`: kinds of which a file could not be read."""
    processes = {model.id: model for model, _ in files if isinstance(model, Process)}
    templates = {name for model, _ in files if isinstance(model, TemplateFile) for name in model.templates}
    seen: dict[str, str] = {}
    for model, places in files:
        for index, message in enumerate(model.messages if isinstance(model, MessageFile) else ()):
            path = ("messages", index)
            if message.id in seen:
                yield places.fault((*path, "id"), f"message {message.id} is there twice (also in {seen[message.id]})")
            seen.setdefault(message.id, places.file)
            if message.code not in templates and "templates/v1" not in broken:
                known = ", ".join(sorted(templates))
                yield places.fault((*path, "code"), f"no message template {message.code!r}; known are {known}")
            if "process/v1" not in broken:
                yield from _process_faults(message, path, places, processes)
            yield from _own_faults(message, path, places)


def _process_faults(message: Message, path: Path, places: Places, processes: Mapping[str, Process]) -> Iterator[Fault]:
    for number, name in enumerate(message.processes):
        if name not in processes:
            known = ", ".join(sorted(processes))
            yield places.fault((*path, "processes", number), f"no process {name!r}; known are {known}")
    stages = {stage.code for name in message.processes if name in processes for stage in processes[name].stages}
    for number, code in enumerate(message.stages):
        if stages and code not in stages:
            yield places.fault((*path, "stages", number), f"no stage {code!r}; known are {', '.join(sorted(stages))}")


def _own_faults(message: Message, path: Path, places: Places) -> Iterator[Fault]:
    for number, role in enumerate(message.to):
        if role not in MESSAGE_ROLES:
            yield places.fault((*path, "to", number), f"no role {role!r}; known are {', '.join(MESSAGE_ROLES)}")
    if bool(message.stages) == (message.at is not None):
        yield places.fault(path, "a message has either `at`, the time that it is told at, or `stages`")
    if message.stages and (message.each or message.until or message.until_row or message.every):
        yield places.fault(path, "a message about stages has no `each`, `until`, `until_row` or `every`")
    if (message.every is None) != (message.times == 1):
        yield places.fault(path, "`every` says how long after the last one, `times` how often: give both or none")
    for name in ("before", "after", "every", "lapses"):
        text = getattr(message, name)
        if text is not None and not parse_duration(text).is_clock:
            yield places.fault((*path, name), f"{text} cannot stand here: the unit must be one of s, m, h, d")
    try:
        compile_condition(message.when)
    except (ValueError, TypeError) as error:
        yield places.fault((*path, "when"), str(error))
    yield from _parameter_faults(message, path, places)


def _parameter_faults(message: Message, path: Path, places: Places) -> Iterator[Fault]:
    """Give the parameters that nobody fills in, or that the sentence's kind does not have."""
    wanted = parameters_for(message.code)
    given = {*message.values, *message.constants}
    for part in ("values", "words", "constants"):
        for name in getattr(message, part):
            if name not in wanted:
                said = f"{message.code} has no {{{name}}}; known are {', '.join(sorted(wanted))}"
                yield places.fault((*path, part, name), said, key=True)
    lacking = sorted(wanted - given - (OF_STAGE if message.stages else frozenset()))
    if lacking:
        yield places.fault((*path, "values"), f"nothing fills in {', '.join(lacking)} of {message.code}")
