"""`stagewatch connectors get|describe|pause|resume|stop|restart|delete`: what runs, and by hand."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Command, command, output_option, settings_from, settings_option
from stagewatch.cli_connectors import timing_options

if TYPE_CHECKING:
    from connectors.connect import ConnectClient, Live
    from stagewatch.output import Value

foreign_option = click.option("--foreign", is_flag=True, help="Also a connector that carries no mark of ours.")
_STATES = {"pause": "paused", "resume": "running", "stop": "stopped", "restart": "running"}


@command(name="get", short_help="List the connectors of Kafka Connect with their states.")
@click.argument("names", nargs=-1)
@settings_option
@output_option
def get_connectors(*, names: tuple[str, ...], config: Path | None, form: str) -> int:
    """List connectors (all, or NAMES). Exit 1 if one of them has failed."""
    from connectors.connect import OWNER
    from stagewatch.connector_setup import client_of, known
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    live = client_of(settings_from(config, output)).connectors()
    chosen = [known(name, live) for name in names] or list(live.values())
    rows: list[list[Value]] = [
        [each.name, _kind(each), each.state, _tasks(each), each.config.get(OWNER), _first_failure(each)]
        for each in chosen
    ]
    columns = ["name", "kind", "state", "tasks", "owner", "failure"]
    output.table(columns, rows, empty="no connectors")
    return 1 if any(each.failures for each in chosen) else 0


def _kind(live: Live) -> str:
    return live.config.get("connector.class", "").rpartition(".")[2]


def _tasks(live: Live) -> str:
    states = [task.state for task in live.tasks]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _first_failure(live: Live) -> str | None:
    return live.failures[0].splitlines()[0] if live.failures else None


@command(name="describe", short_help="Show all of one connector: state, tasks, settings, traces.")
@click.argument("name")
@settings_option
@output_option
def describe_connector(*, name: str, config: Path | None, form: str) -> None:
    """Show the connector NAME. Values of secret settings are never shown."""
    from connectors.connect import OWNER, shown
    from stagewatch.connector_setup import client_of, known
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    live = known(name, client_of(settings_from(config, output)).connectors())
    settings = {key: shown(key, value) for key, value in sorted(live.config.items())}
    tasks = [{"task": t.number, "state": t.state, "worker": t.worker, "trace": t.trace or None} for t in live.tasks]
    head: dict[str, Value] = {
        "name": live.name, "owner": live.config.get(OWNER), "state": live.state, "worker": live.worker,
    }  # fmt: skip
    if output.is_json:
        output.record({**head, "trace": live.trace or None, "tasks": tasks, "config": settings})
        return
    output.record(head | {f"task {task.number}": f"{task.state} on {task.worker}" for task in live.tasks})
    for trace in (live.trace, *(task.trace for task in live.tasks)):
        for line in trace.expandtabs(4).splitlines():
            output.line(f"    {line}")
    output.record(settings)


def _changing(verb: str, short_help: str, text: str, *options: Callable[[Any], Any]) -> Command:
    """Make a command that changes running connectors and waits for the change."""

    @command(name=verb, short_help=short_help, help=text)
    @click.argument("names", nargs=-1, required=True)
    @foreign_option
    @timing_options
    @click.option("--dry-run", is_flag=True, help="Only say what would be done.")
    @settings_option
    def change(**given: Any) -> int:  # noqa: ANN401 - click's
        return _change(verb, **given)

    for option in options:
        option(change)
    return change


def _change(
    verb: str, *, names: tuple[str, ...], wait_s: float, settle_s: float, config: Path | None, **options: bool
) -> int:
    from connectors.connect import Timing, await_state
    from schemas import StagewatchError
    from stagewatch.connector_setup import client_of, owned, watching
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    client = client_of(settings)
    failed = 0
    for live in owned(names, client, settings, with_foreign=options["foreign"]):
        if options["dry_run"]:
            output.say(f"would {verb} connector {live.name}: {live.summary}")
            continue
        try:
            _act(client, verb, live, only_failed=options.get("only_failed", False))
            if verb in _STATES:
                with watching(output) as watch:
                    await_state(client, live.name, _STATES[verb], Timing(wait_s=wait_s, settle_s=settle_s), watch)
        except StagewatchError as error:
            output.error(str(error))
            failed += 1
            continue
        output.done(f"{_PAST[verb]} connector {live.name}")
    return 1 if failed else 0


_PAST = {
    "pause": "paused", "resume": "resumed", "stop": "stopped", "restart": "restarted", "delete": "deleted",
}  # fmt: skip


def _act(client: ConnectClient, verb: str, live: Live, *, only_failed: bool) -> None:
    if verb == "restart":
        client.restart(live.name, only_failed=only_failed)
    elif verb == "delete":
        client.delete(live.name)
    else:
        client.change_state(live.name, _STATES[verb])


pause = _changing(
    "pause", "Let connectors rest; their tasks stay.",
    "Pause the connectors NAMES: their tasks stay where they are and read nothing. `apply` resumes them, unless "
    "their file says paused.",
)  # fmt: skip
resume = _changing("resume", "Let connectors go on.", "Resume the connectors NAMES after `pause` or `stop`.")
stop = _changing(
    "stop", "Stop connectors; their tasks are let go.",
    "Stop the connectors NAMES: their tasks end, their offsets stay and may be changed.",
)  # fmt: skip
restart = _changing(
    "restart", "Restart connectors and their tasks.",
    "Restart the connectors NAMES with all their tasks, or with --failed those that have failed.",
    click.option("--failed", "only_failed", is_flag=True, help="Only what has failed."),
)  # fmt: skip
delete = _changing(
    "delete", "Delete connectors; their offsets stay.",
    "Delete the connectors NAMES. Kafka Connect keeps their offsets for a connector of the same name "
    "(`offsets reset` forgets them), and a database keeps what it made for them, such as a replication slot.",
)  # fmt: skip
