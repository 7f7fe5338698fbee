"""`stagewatch rules diff|apply|rollback|versions`: the rule book changed while the workers run."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, bootstrap_of, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors import SourceCatalog
    from rules import Answer, Definitions, DefinitionSet, FieldChange, Impact, Ledger, Manifest
    from stagewatch.output import Output, Value
    from stagewatch.rule_book import Publisher
    from stagewatch.settings import Settings

SHOWN_CHARACTERS = 160
"""Of a field's value in a terminal; `-o json` has all of it."""
MOST_SHOWN = 200
"""Changed fields in a terminal; more are counted."""

paths_argument = click.argument("changed", nargs=-1, type=click.Path(exists=True, path_type=Path))
wait_option = click.option(
    "--wait", "wait_s", metavar="S", type=click.FloatRange(min=1), default=30, show_default=True,
    help="How long workers may take to load the rules, and then to judge by them.",
)  # fmt: skip
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be published.")


@command(name="diff", short_help="Show what a change of the rules would mean right now.")
@paths_argument
@settings_option
@output_option
def diff(*, changed: tuple[Path, ...], config: Path | None, form: str) -> int:
    """Show what changes with the definition files CHANGED, field by field, and what that would mean at once.

    Each replaces the one of its kind and id, or is added; without CHANGED the folders of the settings are the new
    set. Compared with what is in effect: what was published last, else the folders of the settings. With a broker it
    also counts the running instances that would be touched, and the alerts that would be raised, spared or moved.
    """
    from stagewatch.output import Output
    from stagewatch.rule_book import read_ledger

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    ledger = _empty() if settings.bootstrap is None else read_ledger(settings.bootstrap)
    base, new, sources = _both(settings, ledger, changed, output)
    changes = _field_changes(base, new)
    manifest = _proposed(settings, ledger, base, new)
    rules = _rule_rows(ledger, base, new, manifest)
    before, after = _compiled(settings, ledger, base), _trial(ledger, manifest, base, new)
    impact = None
    if settings.bootstrap is not None:
        from stagewatch.rule_impact import impact_of

        impact = impact_of(settings, settings.bootstrap, sources, before, after)
    if output.is_json:
        output.line_of_json(_document(changes, rules, impact))
        return 0
    _show(output, changes, rules)
    if impact is None:
        output.say("no broker is set: what the change means for running instances is not known")
    else:
        _show_impact(output, impact)
    return 0


@command(name="apply", short_help="Publish a change of the rules to the running workers.")
@paths_argument
@click.option("--note", default="", help="Why; kept with the version.")
@click.option("--force", is_flag=True, help="Also if tests of CHANGED fail.")
@wait_option
@dry_run_option
@settings_option
@output_option
def apply(  # noqa: PLR0913 - the options of the command
    *, changed: tuple[Path, ...], note: str, force: bool, wait_s: float, dry_run: bool, config: Path | None, form: str
) -> int:
    """Publish the definition files CHANGED; running workers take them up within seconds, without a restart.

    Each replaces the one of its kind and id, or is added; without CHANGED the folders of the settings are the new
    set. Checked here first, as `check` does; the tests of CHANGED must come out, and examples in other files that do
    not hold any more are shown. Every worker loads the set and answers; only if all
    accept it comes into effect, else it is withdrawn and what was in effect stays. The same set published twice
    changes nothing.
    """
    import msgspec

    from rules import texts_of
    from stagewatch.output import Output
    from stagewatch.rule_book import Publisher, read_ledger

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    bootstrap = bootstrap_of(settings)
    ledger = read_ledger(bootstrap)
    base, new, _ = _both(settings, ledger, changed, output)
    _run_tests(base, new, output, force=force)
    manifest = _proposed(settings, ledger, base, new)
    if ledger.current is not None and ledger.current.content == manifest.content:
        output.done(f"nothing to publish: rules {ledger.current.serial} say the same")
        return 0
    if not output.is_json:
        _show(output, _field_changes(base, new), _rule_rows(ledger, base, new, manifest))
    _trial(ledger, manifest, base, new)
    if dry_run:
        output.say(f"would publish rules {manifest.serial}")
        return 0
    with Publisher(bootstrap, settings.application_id, wait_s, output.say) as publisher:
        if publisher.ledger.next_serial != manifest.serial:
            raise Failed("somebody else has published meanwhile; look again with `stagewatch rules diff`")
        manifest = msgspec.structs.replace(manifest, note=note)
        taken = publisher.publish(manifest, [*texts_of(base, manifest.serial), *texts_of(new, manifest.serial)])
        return _report(publisher, manifest, taken, output)


@command(name="rollback", short_help="Bring back the rules that were in effect before.")
@click.option("--to", "serial", type=int, metavar="SERIAL", help="Which; left out: those before the ones in effect.")
@wait_option
@dry_run_option
@settings_option
def rollback(*, serial: int | None, wait_s: float, dry_run: bool, config: Path | None) -> int:
    """Publish an earlier version of the rules again. Future deadlines are as if the change had never been."""
    from rules import restored
    from stagewatch.output import Output
    from stagewatch.rule_book import Publisher, read_ledger

    output = Output()
    settings = settings_from(config, output)
    bootstrap = bootstrap_of(settings)
    ledger = read_ledger(bootstrap)
    known = sorted(ledger.effective_at)
    if serial is None:
        serial = next((each for each in reversed(known[:-1])), None)
    if serial is None:
        raise Failed("no earlier rules were published; publish what should be in effect with `stagewatch rules apply`")
    if serial not in known:
        raise click.UsageError(unknown("version of the rules", str(serial), [str(each) for each in known]))
    manifest = restored(ledger.next_serial, ledger.manifests[serial])
    if ledger.current is not None and ledger.current.content == manifest.content:
        output.done(f"nothing to publish: rules {ledger.current.serial} say the same")
        return 0
    if dry_run:
        output.say(f"would publish rules {serial} again, as rules {manifest.serial}")
        return 0
    with Publisher(bootstrap, settings.application_id, wait_s, output.say) as publisher:
        if publisher.ledger.next_serial != manifest.serial:
            raise Failed("somebody else has published meanwhile; look again with `stagewatch rules versions`")
        return _report(publisher, manifest, publisher.publish(manifest, []), output)


@command(name="versions", short_help="List the published versions of the rules.")
@settings_option
@output_option
def versions(*, config: Path | None, form: str) -> None:
    """List every version that was published, the newest last."""
    from stagewatch.output import Output
    from stagewatch.rule_book import read_ledger

    output = Output(is_json=form == "json")
    ledger = read_ledger(bootstrap_of(settings_from(config, output)))
    current = ledger.current.serial if ledger.current else None
    rows: list[list[Value]] = [
        [m.serial, "in effect" if m.serial == current else m.state, m.at, len(m.definitions), sorted(m.holds), m.note]
        for _, m in sorted(ledger.manifests.items())
    ]
    columns = ["serial", "state", "at", "definitions", "held_since", "note"]
    output.table(columns, rows, empty="no rules were published; workers judge by the folders of their settings")


# -- parts


def _empty() -> Ledger:
    from rules import Ledger

    return Ledger()


def _both(
    settings: Settings, ledger: Ledger, paths: Sequence[Path], output: Output
) -> tuple[DefinitionSet, DefinitionSet, SourceCatalog]:
    """Give what is in effect, what would be, and the sources. Raises DefinitionError with the faults of the new set."""
    from connectors import load_sources
    from schemas import DefinitionError
    from stagewatch.rule_book import base_set, changed_set

    sources = load_sources(list(settings.sources), settings.dialect_overrides)
    ledger.known_codes = sources.known_codes()
    base = base_set(settings, ledger)
    new = changed_set(settings, base, paths, sources.vocabulary())
    if new.faults:
        raise DefinitionError(new.faults)
    if ledger.current is None:
        output.say("nothing was published yet: compared with the folders of the settings")
    return base, new, sources


def _proposed(settings: Settings, ledger: Ledger, base: DefinitionSet, new: DefinitionSet) -> Manifest:
    from rules import proposed
    from stagewatch.rule_book import choice_of

    return proposed(ledger, base, new, choice_of(settings))


def _compiled(settings: Settings, ledger: Ledger, base: DefinitionSet) -> Definitions:
    from dataclasses import replace

    from rules import compiled
    from stagewatch.rule_book import choice_of

    if ledger.current is not None:
        return ledger.definitions(ledger.current)
    return compiled(base, replace(choice_of(settings), known_codes=ledger.known_codes))


def _trial(ledger: Ledger, manifest: Manifest, base: DefinitionSet, new: DefinitionSet) -> Definitions:
    """Load the set from what would be published, as a worker does. Raises DefinitionError."""
    from rules import texts_of

    for text in (*texts_of(base, manifest.serial), *texts_of(new, manifest.serial)):
        ledger.put(text, 0)
    return ledger.definitions(manifest)


def _run_tests(base: DefinitionSet, new: DefinitionSet, output: Output, *, force: bool) -> None:
    """Run all tests on the new set: those of changed files must come out, others show what the change means."""
    from rules import run_tests

    known = {file.digest for file in base.files}
    kept = {file.path for file in new.files if file.digest in known}
    failed = [result for result in run_tests(new) if not result.is_ok]
    for each in failed:
        line = f"{each.file}:{each.line}: {each.name}: {'; '.join(each.faults)}"
        if each.file in kept:
            output.warn(f"an example does not hold any more: {line}")
        else:
            output.error(line)
    count = sum(each.file not in kept for each in failed)
    if count and not force:
        raise Failed(f"{count} tests of the changed definitions fail; --force publishes all the same")


def _field_changes(base: DefinitionSet, new: DefinitionSet) -> list[FieldChange]:
    from rules import field_changes

    return field_changes(base, new)


def _rule_rows(
    ledger: Ledger, base: DefinitionSet, new: DefinitionSet, manifest: Manifest
) -> list[tuple[str, int, int]]:
    """Give the rules whose version changes: code, version before and after."""
    from rules import rule_versions

    known = ledger.current.rule_versions if ledger.current else {}
    before, after = rule_versions(base, known), rule_versions(new, manifest.rule_versions)
    return [(code, before[code], version) for code, version in after.items() if before.get(code, version) != version]


def _document(
    changes: Sequence[FieldChange], rules: Sequence[tuple[str, int, int]], impact: Impact | None
) -> dict[str, Value]:
    """Give a change and what it means as one object for machines."""
    return {
        "changes": [change._asdict() for change in changes],
        "rules": [{"rule": code, "before": before, "after": after} for code, before, after in rules],
        "impact": None if impact is None else _numbers(impact),
    }


def _numbers(impact: Impact) -> dict[str, Value]:
    codes = sorted(impact.raised.keys() | impact.spared.keys())
    return {
        "running": impact.running,
        "touched": impact.touched,
        "raised": impact.raised.total(),
        "spared": impact.spared.total(),
        "earlier": impact.earlier,
        "later": impact.later,
        "messages": impact.messages,
        "by_rule": [
            {"rule": rule, "severity": s, "raised": impact.raised[rule, s], "spared": impact.spared[rule, s]}
            for rule, s in codes
        ],
        "examples": [{**e._asdict(), "due_at": _iso(e.due_at)} for e in impact.examples],
    }


def _show(output: Output, changes: Sequence[FieldChange], rules: Sequence[tuple[str, int, int]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not changes:
        output.say("no field changes")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("definition", "place", "before", "after"):
        table.add_column(column, overflow="fold")
    for change in changes[:MOST_SHOWN]:
        before, after = Text(_short(change.before), "red"), Text(_short(change.after), "green")
        table.add_row(Text(change.definition), Text(change.place or "(whole)"), before, after)
    output.show(table)
    if len(changes) > MOST_SHOWN:
        output.say(f"and {len(changes) - MOST_SHOWN} more changed fields")
    if rules:
        output.say(f"alerts will show: {', '.join(f'{code} version {new} (was {old})' for code, old, new in rules)}")


def _short(value: str | None) -> str:
    if value is None:
        return "—"
    return value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…"


def _show_impact(output: Output, impact: Impact) -> None:
    codes = sorted(impact.raised.keys() | impact.spared.keys())
    rows: list[list[Value]] = [[rule, s, impact.raised[rule, s], impact.spared[rule, s]] for rule, s in codes]
    examples: list[list[Value]] = [[e.what, e.rule, e.severity, e.instance, _iso(e.due_at)] for e in impact.examples]
    if rows:
        output.table(["rule", "severity", "raised", "spared"], rows)
        output.table(["for example", "rule", "severity", "instance", "due_at"], examples)
    output.say(
        f"of {impact.running} running instances {impact.touched} would be touched: {impact.raised.total()} alerts "
        f"raised and {impact.spared.total()} spared at once, {impact.earlier} deadlines earlier, {impact.later} later; "
        f"{impact.messages} messages to people"
    )


def _iso(ms: int | None) -> str | None:
    from schemas import iso

    return None if ms is None else iso(ms)


def _report(publisher: Publisher, manifest: Manifest, taken: Sequence[Answer], output: Output) -> int:
    numbers = sorted({number for answer in taken for number in answer.partitions})
    slowest = max((answer.seconds for answer in taken), default=0.0)
    if output.is_json:
        output.line_of_json({"serial": manifest.serial, "partitions": numbers, "seconds": slowest})
    if taken:
        output.done(
            f"rules {manifest.serial} are in effect: {len(numbers)} partitions judge by them, after {slowest:g} s"
        )
    elif publisher.ledger.answers.get(manifest.serial):
        output.warn(
            f"rules {manifest.serial} are in effect; the workers have not said yet that all partitions judge by them"
        )
    else:
        output.done(f"rules {manifest.serial} are in effect")
    return 0
