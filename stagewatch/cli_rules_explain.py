"""`stagewatch rules explain`: what counts for a unit, where it comes from, and since when."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from rules import DefinitionSet, Ledger, Process, Setting
    from stagewatch.in_effect import Texts
    from stagewatch.output import Value


@command(name="explain", short_help="Explain which limit or threshold counts for a unit, and why.")
@click.argument("rule")
@click.option("--org", required=True, metavar="CODE", help="Code of the unit, e.g. 3340102.")
@settings_option
@output_option
def explain(*, rule: str, org: str, config: Path | None, form: str) -> None:
    """Explain what counts for the unit CODE under RULE (R-T03), or of an indicator's thresholds (I122).

    Of each value the first line counts; those below it are what it replaces, up to the limit set itself. With a
    broker, of the rules that are in effect; else of the folders of the settings.
    """
    from rules import settings_of
    from schemas import DefinitionError
    from stagewatch.in_effect import Texts
    from stagewatch.output import Output
    from stagewatch.rule_book import base_set, read_ledger

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    ledger = None if settings.bootstrap is None else read_ledger(settings.bootstrap)
    loaded = base_set(settings, ledger or _empty())
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    current = ledger.current if ledger else None
    limits = current.limits if current else settings.limits
    wanted = _subjects(loaded, rule)
    found = [s for s in settings_of([file.model for file in loaded.files], limits, org) if _is_about(s, wanted)]
    if not found:
        raise Failed(f"{rule} has no limit or threshold in any template; what it says is in its own definition")
    if not any(setting.org for setting in found):
        output.say(
            f"no template sets this for unit {org} or one above it (whether there is such a unit is not checked)"
        )
    texts = Texts(loaded, (ledger, current.serial) if ledger and current else None)
    output.table(
        ["what", "value", "counts", "from", "unit", "line", "since", "units_below"],
        [_row(setting, number, found, texts) for number, setting in enumerate(found)],
    )


def _empty() -> Ledger:
    from rules import Ledger

    return Ledger()


def _subjects(loaded: DefinitionSet, rule: str) -> list[str]:
    """Give how what is set begins: process and stage of a rule's limits, the indicator, or the rule's own code."""
    from rules import Process, RuleFile

    rules = [each for file in loaded.of(RuleFile) for each in file.rules]
    if rule.startswith("I"):
        return [rule]
    named = [each for each in rules if each.code == rule]
    if not named:
        raise click.UsageError(unknown("rule", rule, sorted({each.code for each in rules})))
    judged = [threshold.indicator for each in named for threshold in getattr(each, "thresholds", ())]
    judged += [each.code for each in named if getattr(each, "parameters", None)]
    processes = loaded.of(Process)
    return judged + [
        f"{process} {stage}"
        for each in named
        if getattr(each, "limit", None) in {"stage", "total"}
        for process in dict.fromkeys([*each.processes, *(p.id for p in processes if p.is_among(each.processes))])
        for stage in _stages(each, next((p for p in processes if p.id == process), None))
    ]


def _stages(rule: object, process: Process | None) -> list[str]:
    """Give the stages of a process whose limits count under a rule; `total` is that of the whole."""
    if getattr(rule, "every_stage", False):
        return [stage.code for stage in process.stages] if process else []
    return [getattr(rule, "stage", None) or "total"]


def _is_about(setting: Setting, wanted: list[str]) -> bool:
    return any(setting.about == subject or setting.about.startswith(f"{subject} ") for subject in wanted)


def _row(setting: Setting, number: int, found: list[Setting], texts: Texts) -> list[Value]:
    counts = number == 0 or found[number - 1].about != setting.about
    origin = texts.origin(setting)
    return [
        setting.about, setting.value, counts, origin.definition, origin.unit, origin.line, origin.since, setting.lower,
    ]  # fmt: skip
