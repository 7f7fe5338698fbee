"""`stagewatch templates`: what messages say, in whose words, and how long they are."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Group, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from rules import DefinitionSet
    from stagewatch.output import Value
    from stagewatch.settings import Settings

STANDARD = "standard"
COLUMNS = ["id", "unit", "length", "parts", "parameters", "text"]
Row = tuple[str, str, int, int, str, str]
"""id, unit whose copy it is, characters and parts of a usual message, parameters, text."""

org_option = click.option("--org", metavar="ORG_NO", help="As this unit's messages say it.")
templates = Group(
    name="templates",
    help="Show what messages say, in whose words, and how long they are.",
    members={
        "list": "stagewatch.cli_templates:list_",
        "show": "stagewatch.cli_templates:show",
        "preview": "stagewatch.cli_templates:preview",
    },
)


@command(name="list", short_help="List the templates and units' own copies.")
@org_option
@settings_option
@output_option
def list_(*, org: str | None, config: Path | None, form: str) -> None:
    """List the standard library and every unit's own copies; with --org, what that unit's messages use.

    Length and parts are those of a message with usual values, with the number that its manager answers a task with:
    70 characters in one SMS, 67 in each part of a longer one; the signature counts.
    """
    from rules import text_for
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    loaded = _in_effect(settings_from(config, output))
    (standard, own), hints = _copies(loaded), _hints(loaded)
    rows: list[Row] = []
    for name in sorted(standard):
        if org is not None:
            text, unit = text_for(name, org, standard, own)
            rows.append(_row(name, unit, text, hints))
        else:
            rows.append(_row(name, "", standard[name], hints))
            rows += (_row(name, unit, text, hints) for unit, text in sorted(own.get(name, {}).items()))
    output.table(COLUMNS, rows)


@command(name="show", short_help="Show one template, with a sample.")
@click.argument("template")
@org_option
@settings_option
@output_option
def show(*, template: str, org: str | None, config: Path | None, form: str) -> None:
    """Show TEMPLATE: its text, whose copy it is, its parameters, and a message with usual values part by part."""
    from rules import MESSAGE_KINDS, text_for
    from sinks import sms_parts
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    loaded = _in_effect(settings_from(config, output))
    (standard, own), hints = _copies(loaded), _hints(loaded)
    if template not in standard:
        raise click.BadParameter(unknown("template", template, standard), param_hint="TEMPLATE")
    text, unit = text_for(template, org, standard, own)
    kind = MESSAGE_KINDS.get(template)
    found: dict[str, Value] = dict(zip(COLUMNS, _row(template, unit, text, hints), strict=True))
    if kind is not None:
        found |= {"title": kind.title, "to": kind.to}
    sample = " | ".join(sms_parts(_sample(template, text, hints)))
    output.record({**found, "copies": ", ".join(sorted(own.get(template, {}))), "sample": sample})


@command(name="preview", short_help="Show what template files would say, before they are applied.")
@click.argument("changed", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@settings_option
@output_option
def preview(*, changed: tuple[Path, ...], config: Path | None, form: str) -> int:
    """Show the sentences of the template files CHANGED with usual values, and their length in parts.

    Checked as `stagewatch check` does, together with what is in effect. Nothing is written: `stagewatch rules apply`
    does that.
    """
    from rules import TemplateFile, with_files
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    new = with_files(_in_effect(settings_from(config, output)), changed)
    for fault in new.faults:
        output.error(str(fault))
    if new.faults:
        return 1
    names = {str(path) for path in changed}
    files = [file.model for file in new.files if file.path in names and isinstance(file.model, TemplateFile)]
    said = [(name, model.org or "", text) for model in files for name, text in model.templates.items()]
    hints = _hints(new)
    rows = [(*_row(name, unit, text, hints), _sample(name, text, hints)) for name, unit, text in said]
    output.table([*COLUMNS, "sample"], rows, empty="CHANGED has no templates")
    return 0


def _in_effect(settings: Settings) -> DefinitionSet:
    """Give what is judged by now: what was published last, else the folders of the settings."""
    from rules import read_definitions
    from stagewatch.rule_book import base_set, read_ledger

    if settings.bootstrap is None:
        return read_definitions(settings.definitions)
    return base_set(settings, read_ledger(settings.bootstrap))


def _copies(loaded: DefinitionSet) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    from rules import TemplateFile, copies_of
    from schemas import DefinitionError

    if loaded.faults:
        raise DefinitionError(loaded.faults)
    return copies_of(loaded.of(TemplateFile))


def _hints(loaded: DefinitionSet) -> dict[str, str]:
    from rules import SAMPLE_VALUES, RuleFile, StrategyFile, task_hints

    rules = (rule for file in loaded.of(RuleFile) for rule in file.rules)
    strategies = (strategy for file in loaded.of(StrategyFile) for strategy in file.strategies)
    return task_hints(rules, strategies, SAMPLE_VALUES["sup_no"])


def _row(name: str, unit: str, text: str, hints: dict[str, str]) -> Row:
    from rules import parameters_of
    from sinks import sms_length, sms_parts

    sample = _sample(name, text, hints)
    parameters = ", ".join(sorted(parameters_of(text)))
    return name, unit or STANDARD, sms_length(sample), len(sms_parts(sample)), parameters, text


def _sample(name: str, text: str, hints: dict[str, str]) -> str:
    """Give a message with usual values, as a manager gets it who has a task of it."""
    from rules import SAMPLE_VALUES

    return text.format_map(SAMPLE_VALUES) + hints.get(name, "")
