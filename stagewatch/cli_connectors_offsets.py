"""`stagewatch connectors offsets`: how far connectors have read; a backup, and the way back."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, Group, command, output_option, settings_from, settings_option
from stagewatch.cli_connectors_live import foreign_option

if TYPE_CHECKING:
    from connectors.connect import ConnectClient, Live
    from stagewatch.output import Value

offsets = Group(
    name="offsets",
    help="See and change how far connectors have read. Changing needs a stopped connector.",
    members={
        verb: f"stagewatch.cli_connectors_offsets:{verb}_offsets"
        for verb in ("get", "set", "reset", "export", "import")
    },
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def _live(name: str, config: Path | None) -> tuple[ConnectClient, Live]:
    from stagewatch.connector_setup import client_of, known
    from stagewatch.output import Output

    client = client_of(settings_from(config, Output()))
    return client, known(name, client.connectors())


@command(name="get", short_help="Show how far a connector has read.")
@click.argument("name")
@settings_option
@output_option
def get_offsets(*, name: str, config: Path | None, form: str) -> None:
    """Show how far the connector NAME has read, by part of its source."""
    from stagewatch.output import Output

    client, _ = _live(name, config)
    rows: list[list[Value]] = [[each["partition"], each["offset"]] for each in client.offsets(name)]
    Output(is_json=form == "json").table(["partition", "offset"], rows, empty="nothing read yet")


@command(name="export", short_help="Write a connector's offsets as a file.")
@click.argument("name")
@settings_option
def export_offsets(*, name: str, config: Path | None) -> None:
    """Write the offsets of the connector NAME to stdout, for `import`."""
    from connectors.connect import exported

    client, live = _live(name, config)
    click.echo(exported(name, live.config, client.offsets(name)), nl=False)


def _changed(
    name: str, config: Path | None, what: str, change: Callable[[ConnectClient], str], **options: bool
) -> None:
    """Change the offsets of a stopped connector of ours."""
    from stagewatch.connector_setup import client_of, owned
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    client = client_of(settings)
    live = owned([name], client, settings, with_foreign=options["foreign"])[0]
    if options["dry_run"]:
        output.say(f"would {what} the offsets of {name}, now {json.dumps(client.offsets(name), ensure_ascii=False)}")
        return
    if live.state != "STOPPED":
        raise Failed(f"connector {name} is {live.state}; stop it first: stagewatch connectors stop {name}")
    message = change(client)
    if message:
        output.say(f"Connect: {message}")
    output.done(f"{what} of the offsets of {name} done; stagewatch connectors resume {name} goes on from there")


@command(name="set", short_help="Set one offset of a stopped connector.")
@click.argument("name")
@click.option("--partition", metavar="JSON", required=True, help="Part of the source, as `offsets get` shows it.")
@click.option("--offset", metavar="JSON", required=True, help="The position; null forgets it.")
@foreign_option
@dry_run_option
@settings_option
def set_offsets(*, name: str, partition: str, offset: str, config: Path | None, **options: bool) -> None:
    """Set how far the stopped connector NAME has read one part of its source."""
    from connectors.connect import check_partitions

    try:
        wanted: dict[str, Any] = {"partition": json.loads(partition), "offset": json.loads(offset)}
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None
    _, live = _live(name, config)
    check_partitions(name, live.config, [wanted])
    _changed(name, config, "set", lambda client: client.alter_offsets(name, [wanted]), **options)


@command(name="reset", short_help="Forget how far a stopped connector has read.")
@click.argument("name")
@foreign_option
@dry_run_option
@settings_option
def reset_offsets(*, name: str, config: Path | None, **options: bool) -> None:
    """Forget how far the stopped connector NAME has read: it begins anew, with a snapshot if its mode says so."""
    _changed(name, config, "reset", lambda client: client.reset_offsets(name), **options)


@command(name="import", short_help="Set a stopped connector's offsets from a file.")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@foreign_option
@dry_run_option
@settings_option
def import_offsets(*, name: str, file: Path, config: Path | None, **options: bool) -> None:
    """Set the offsets of the stopped connector NAME to those of FILE, which `export` wrote."""
    from connectors.connect import imported

    _, live = _live(name, config)
    wanted = imported(file.read_bytes(), str(file), name=name, config=live.config)
    _changed(name, config, "import", lambda client: client.alter_offsets(name, wanted), **options)
