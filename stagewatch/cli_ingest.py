"""`stagewatch ingest`: rows that no capture brings: files by hand and by schedule, and web services."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from stagewatch.cli import Group, command, output_option, settings_from, settings_option

ingest = Group(
    name="ingest",
    help="Bring in rows that no capture brings: from files, and from web services.",
    members={
        "file": "stagewatch.cli_ingest:ingest_file",
        "undo": "stagewatch.cli_ingest:undo_batch",
        "list": "stagewatch.cli_ingest:list_batches",
        "watch": "stagewatch.cli_ingest_watch:watch_folder",
        "pull": "stagewatch.cli_ingest_pull:pull",
        "serve": "stagewatch.cli_ingest_web:serve",
    },
)


@command(name="file", short_help="Load a CSV or XLSX file into a captured table.")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--table", required=True, metavar="SOURCE.TABLE", help="Captured table that the rows are of: mkt.mkt_app."
)
@click.option("--operator", help="Who brings it in; by default who is logged in.")
@click.option("--batch", metavar="ID", help="Name of the batch; by default the table and the file's hash.")
@click.option(
    "--full", "is_full", is_flag=True, help="The file is the whole table: rows that it lacks are deleted. Needs --rows."
)
@click.option("--history", "is_history", is_flag=True, help="It is history: nobody is told of what was due before.")
@click.option("--as-of", metavar="TIME", help="When the rows were true; what the source said since then stays.")
@click.option("--rows", "expected", type=click.IntRange(min=0), help="How many rows the file must have.")
@click.option("--skip-bad", is_flag=True, help="Load the good rows; the bad ones go to PATH.rejects.csv.")
@click.option("--no-undo", is_flag=True, help="Do not look up what was there before: faster, and cannot be undone.")
@click.option("--encoding", help="By default found out: UTF-8, UTF-16 or GB18030.")
@click.option("--delimiter", metavar="CHAR", help="By default found out: , ; | or tab.")
@click.option("--sheet", metavar="NAME", help="Sheet of a workbook; by default the first that is seen.")
@click.option("--dry-run", is_flag=True, help="Only check the file; needs no broker.")
@settings_option
@output_option
def ingest_file(*, path: Path, config: Path | None, form: str, **chosen: Any) -> int:  # noqa: ANN401 - click's options
    """Check every cell of PATH, and write its rows into the table's topic as one batch.

    Every bad cell is named as file:row:column, and nothing is written unless all are good (or --skip-bad).
    `stagewatch ingest undo` takes a batch back. The same file is not loaded twice.
    """
    from stagewatch.ingest import FileLoad
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    load = FileLoad(settings, output, path, {**chosen, "operator": chosen["operator"] or _person()})
    return 0 if load.run() else 1


def _person() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


@command(name="undo", short_help="Take a batch back.")
@click.argument("batch")
@click.option("--operator", help="Who takes it back; by default who is logged in.")
@click.option(
    "--leave", is_flag=True, help="Leave the rows that a later batch changed, instead of asking to undo that first."
)
@click.option("--dry-run", is_flag=True, help="Only say what would become of the rows.")
@settings_option
@output_option
def undo_batch(  # noqa: PLR0913 - click's options
    *, batch: str, operator: str | None, leave: bool, dry_run: bool, config: Path | None, form: str
) -> None:
    """Make every row of BATCH as it was before, but for those that somebody else has changed since.

    If that was another batch, it has to be taken back first: what was there before it is this batch's.
    """
    from stagewatch.ingest import take_back
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    take_back(settings, output, batch, operator=operator or _person(), leaves=leave, is_dry=dry_run)


@command(name="list", short_help="List the batches that were loaded from here.")
@settings_option
@output_option
def list_batches(*, config: Path | None, form: str) -> None:
    """List the batches whose journals are in this data folder, oldest first."""
    from stagewatch.ingest import batches
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    columns = ["batch", "table", "loaded", "state", "rows", "deleted", "operator", "file"]
    output.table(columns, batches(settings.data_dir), empty="no batches")
