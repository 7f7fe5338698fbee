"""`stagewatch connectors`: Kafka Connect, declaratively."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, Group, command, output_option, settings_from, settings_option

if TYPE_CHECKING:
    from connectors.connect import ConnectClient, Desired, Item, Policy, Timing
    from stagewatch.output import Output
    from stagewatch.settings import Settings

connectors = Group(
    name="connectors",
    help="Say in files which connectors run in Kafka Connect; see the difference; make it so.",
    members={
        "plan": "stagewatch.cli_connectors:plan_connectors",
        "apply": "stagewatch.cli_connectors:apply_connectors",
        "validate": "stagewatch.cli_connectors:validate_connectors",
        "get": "stagewatch.cli_connectors_live:get_connectors",
        "describe": "stagewatch.cli_connectors_live:describe_connector",
        "pause": "stagewatch.cli_connectors_live:pause",
        "resume": "stagewatch.cli_connectors_live:resume",
        "stop": "stagewatch.cli_connectors_live:stop",
        "restart": "stagewatch.cli_connectors_live:restart",
        "delete": "stagewatch.cli_connectors_live:delete",
        "offsets": "stagewatch.cli_connectors_offsets:offsets",
        "snapshot": "stagewatch.cli_connectors_data:snapshot",
        "template": "stagewatch.cli_connectors_data:template",
        "ogg": "stagewatch.cli_connectors_data:ogg",
    },
)


def timing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command how long it waits for connectors."""
    for option in (
        click.option(
            "--settle", "settle_s", metavar="SECONDS", type=click.FloatRange(0, 60), default=2, show_default=True,
            help="A state counts once it has held for so long: a task runs for a moment before it fails.",
        ),
        click.option(
            "--wait", "wait_s", metavar="SECONDS", type=click.FloatRange(1, 3600), default=120, show_default=True,
            help="Longest wait for a connector and its tasks to come to their state.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def paths_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `PATH…`, files or folders; without any, the setting `connectors`."""
    return click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))(function)


def policy_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what may be done beyond the files' own connectors."""
    for option in (
        click.option("--replace", is_flag=True, help="Also remove settings that somebody added by hand."),
        click.option("--prune", is_flag=True, help="Also delete connectors of ours that no file describes any more."),
        click.option("--adopt", metavar="NAME", multiple=True, help="Take over a connector that is not ours."),
    ):
        function = option(function)
    return function


@command(name="plan", short_help="Show what apply would do.")
@paths_argument
@policy_options
@settings_option
@output_option
def plan_connectors(*, paths: tuple[Path, ...], config: Path | None, form: str, **choices: Any) -> None:  # noqa: ANN401
    """Show the difference between the connector files (PATHs, or the setting `connectors`) and Kafka Connect.

    Values of secret settings are never shown. Changes nothing.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    wanted, items = _planned(paths, settings, choices, output)
    _look_at_topics(wanted, settings, output)
    _show(items, output)


@command(name="apply", short_help="Make Kafka Connect run what the files say.")
@paths_argument
@policy_options
@timing_options
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@settings_option
@output_option
def apply_connectors(
    *, paths: tuple[Path, ...], dry_run: bool, config: Path | None, form: str, **choices: Any  # noqa: ANN401
) -> int:  # fmt: skip
    """Carry out the plan: validate first, then change, then wait until connectors and all tasks are in their state.

    Nothing is changed if a validation fails. Applying twice changes nothing the second time. Exit 1 if a connector
    does not come to its state; the first lines of its trace say why.
    """
    from connectors.connect import Action, Timing
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    _, items = _planned(paths, settings, choices, output)
    if dry_run:
        _show(items, output)
        return 0
    client, timing = _client(settings), Timing(wait_s=choices["wait_s"], settle_s=choices["settle_s"])
    work = [item for item in items if item.is_work]
    _refuse_invalid(client, work, output)
    failed = sum(not _carry_out(client, item, timing, output) for item in work)
    alone = [item for item in items if Action.FOREIGN in item.actions]
    for item in alone:
        output.error(f"connector {item.name}: {item.notes[0]}")
    _report_drift(items, output)
    if not work and not alone:
        output.done(f"nothing to do: {len(items)} connectors are as they shall be")
    return 1 if failed or alone else 0


@command(name="validate", short_help="Let each connector check its settings.")
@paths_argument
@output_option
@settings_option
def validate_connectors(*, paths: tuple[Path, ...], form: str, config: Path | None) -> int:
    """Let Kafka Connect check the settings of every file; a Debezium connector tries its database for it."""
    from connectors.connect import objections
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    client, wanted = _client(settings), _wanted(paths, settings, output)
    count = 0
    for desired in wanted:
        errors, odd = objections(client, desired.name, desired.config)
        for text in odd:
            output.warn(str(desired.places.fault(("config", text.partition(":")[0]), text, key=True)))
        for error in errors:
            count += 1
            fault = desired.places.fault(("config", error.setting), f"{error.setting}: {error.message}", key=True)
            output.fault(fault)
    if count:
        output.error(f"{count} fault{'s' if count > 1 else ''}")
        return 1
    output.done(f"validated {len(wanted)} connectors: no faults")
    return 0


def _wanted(paths: Sequence[Path], settings: Settings, output: Output) -> list[Desired]:
    from stagewatch.connector_setup import wanted

    return wanted(paths, settings, output)


def _client(settings: Settings) -> ConnectClient:
    from stagewatch.connector_setup import client_of

    return client_of(settings)


def _planned(
    paths: Sequence[Path], settings: Settings, choices: dict[str, Any], output: Output
) -> tuple[list[Desired], list[Item]]:
    from connectors.connect import Policy, plan
    from stagewatch.connector_setup import check_prune

    if choices["prune"]:
        check_prune(paths, settings)
    wanted = _wanted(paths, settings, output)
    policy: Policy = Policy(
        settings.application_id, replaces=choices["replace"], prunes=choices["prune"], adopted=choices["adopt"]
    )
    return wanted, plan(wanted, _client(settings).connectors(), policy)


def _look_at_topics(wanted: list[Desired], settings: Settings, output: Output) -> None:
    """Warn of topics that connectors stand on and that are not as they must be, if a broker is set."""
    from connectors.connect import topic_warnings
    from schemas import TryLater

    if settings.bootstrap is not None:
        try:
            for text in topic_warnings(settings.bootstrap, wanted):
                output.warn(text)
        except TryLater as error:
            output.warn(f"topics not looked at: {error}")


_STYLES = {
    "create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "drift": ("!", "magenta"),
    "foreign": ("?", "magenta"), "nothing": ("=", "dim"), "restart": ("~", "yellow"), "resume": ("~", "yellow"),
    "pause": ("~", "yellow"), "stop": ("~", "yellow"),
}  # fmt: skip


def _show(items: list[Item], output: Output) -> None:
    from collections import Counter

    from rich.text import Text

    for item in items:
        if output.is_json:
            output.line_of_json(_as_json(item))
            continue
        sign, style = _STYLES[item.actions[0]]
        output.show(Text(f"{sign} {item.name}: {', '.join(item.actions)}", style))
        for note in item.notes:
            output.show(Text(f"    # {note}", "dim"))
        for change in item.changes:
            output.show(Text(f"    {_line(*change.shown(), change.setting)}"))
    counted = Counter(action.value for item in items for action in item.actions)
    output.say(", ".join(f"{name}: {count}" for name, count in counted.items()) or "no connector files")


def _line(before: str | None, after: str | None, setting: str) -> str:
    if before is None:
        return f"+ {setting} = {after}"
    if after is None:
        return f"- {setting} = {before}"
    return f"~ {setting} = {before} -> {after}" + (" (another value)" if before == after else "")


def _as_json(item: Item) -> dict[str, Any]:
    shown = [(change.setting, *change.shown()) for change in item.changes]
    return {
        "name": item.name,
        "actions": [action.value for action in item.actions],
        "state": item.state,
        "changes": [{"setting": name, "before": before, "after": after} for name, before, after in shown],
        "notes": list(item.notes),
    }


def _refuse_invalid(client: ConnectClient, work: list[Item], output: Output) -> None:
    """End here if a connector's own validation objects to what it is about to be given."""
    from connectors.connect import Action, objections

    count = 0
    for item in work:
        if {Action.CREATE, Action.UPDATE} & set(item.actions):
            errors, odd = objections(client, item.name, item.config)
            for text in odd:
                output.warn(f"connector {item.name}: {text}")
            for error in errors:
                output.error(f"connector {item.name}: {error.setting}: {error.message}")
            count += len(errors)
    if count:
        raise Failed(f"nothing was changed: {count} settings are refused")


def _carry_out(client: ConnectClient, item: Item, timing: Timing, output: Output) -> bool:
    from connectors.connect import carry_out
    from schemas import StagewatchError
    from stagewatch.connector_setup import watching

    try:
        with watching(output) as watch:
            done = carry_out(client, item, timing, watch)
    except StagewatchError as error:
        output.error(str(error))
        return False
    output.done(done)
    if output.is_json:
        output.line_of_json({"name": item.name, "actions": [action.value for action in item.actions]})
    return True


def _report_drift(items: list[Item], output: Output) -> None:
    from connectors.connect import Action

    for item in items:
        if Action.DRIFT in item.actions:
            output.warn(f"connector {item.name}: {item.notes[0]}")
