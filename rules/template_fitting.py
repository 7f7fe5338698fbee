"""What no single template file shows: parameters nobody fills in, sentences twice, copies of what is not there."""

from collections.abc import Collection, Iterator, Sequence

from pydantic import BaseModel

from rules.message_kinds import parameters_for
from rules.models import TemplateFile
from rules.wording import shaped_parameters, unknown_parameters
from schemas import Fault, Places

_Parsed = tuple[BaseModel, Places]


def template_faults(file: TemplateFile, places: Places) -> Iterator[Fault]:
    """Give the faults of the sentences of one file."""
    for name, text in file.templates.items():
        known = parameters_for(name)
        try:
            unknown, shaped = unknown_parameters(text, known), shaped_parameters(text)
        except ValueError as error:
            yield places.fault(("templates", name), f"braces do not match: {error}")
            continue
        if not text.strip():
            yield places.fault(("templates", name), "it says nothing")
        for parameter in shaped:
            yield places.fault(("templates", name), f"{parameter} stands in the text as it is: no `!` and no `:` in it")
        for parameter in unknown:
            message = f"nobody fills in {{{parameter}}}; known are {', '.join(sorted(known))}"
            yield places.fault(("templates", name), message)
        if shaped:  # a width of a milliard is not tried out
            continue
        try:
            text.format_map(dict.fromkeys(known, "—"))
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            if not unknown:
                yield places.fault(("templates", name), f"cannot be filled in: {error}")


def copy_faults(files: Sequence[_Parsed], broken: Collection[str]) -> Iterator[Fault]:
    """Give sentences that two files have for the same unit, and units' copies of what the library does not have."""
    found = [(model, places) for model, places in files if isinstance(model, TemplateFile)]
    standard = {name for model, _ in found if model.org is None for name in model.templates}
    seen: dict[tuple[str | None, str], str] = {}
    for model, places in found:
        for name in model.templates:
            first = seen.setdefault((model.org, name), places.file)
            if first != places.file:
                yield places.fault(("templates", name), f"{first} has a sentence {name!r} for the same unit", key=True)
            if model.org is not None and name not in standard and "templates/v1" not in broken:
                message = f"no sentence {name!r} in the standard library; known are {', '.join(sorted(standard))}"
                yield places.fault(("templates", name), message, key=True)


def copies_of(files: Sequence[TemplateFile]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Give the standard library, text by id, and units' own copies by id and unit."""
    standard: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {}
    for file in files:
        for name, text in file.templates.items():
            if file.org is None:
                standard[name] = text
            else:
                own.setdefault(name, {})[file.org] = text
    return standard, own
