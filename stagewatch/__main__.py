"""The console script `stagewatch`: finds the command, runs it, and turns what went wrong into an exit code.

0 done, 1 failed, 2 misused (contract, section 3). A traceback is shown only with `-v`.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from stagewatch.cli import VERBOSE, Group

INTERRUPTED = 130
"""What a shell reports for a program ended by Ctrl-C."""

ROOT = Group(
    name="stagewatch",
    help="Watches change events of power-connection processes and alerts when a stage runs late.",
    members={
        "worker": "stagewatch.cli_worker:worker",
        "demo": "stagewatch.cli_demo:demo",
        "replay": "stagewatch.cli_replay:replay",
        "check": "stagewatch.cli_check:check",
        "rules": "stagewatch.cli_rules:rules",
        "templates": "stagewatch.cli_templates:templates",
        "flow": "stagewatch.cli_flow:flow",
        "evaluate": "stagewatch.cli_evaluation:evaluate",
        "reports": "stagewatch.cli_reports:reports",
        "instances": "stagewatch.cli_store:instances",
        "alerts": "stagewatch.cli_store:alerts",
        "notifications": "stagewatch.cli_store:notifications",
        "silences": "stagewatch.cli_silences:silences",
        "tasks": "stagewatch.cli_tasks:tasks",
        "commands": "stagewatch.cli_tasks:commands",
        "inbound": "stagewatch.cli_inbound:inbound",
        "connectors": "stagewatch.cli_connectors:connectors",
        "ingest": "stagewatch.cli_ingest:ingest",
        "relay": "stagewatch.cli_relay:relay",
        "sources": "stagewatch.cli_sources:sources",
        "deadletters": "stagewatch.cli_deadletters:deadletters",
        "settings": "stagewatch.cli_settings:settings",
        "bench": "stagewatch.cli_bench:bench",
    },
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; give the exit code."""
    context = None
    try:
        with ROOT.make_context("stagewatch", list(arguments)) as context:
            result = ROOT.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return 1
    except Exception as error:
        if context is not None and context.meta.get(VERBOSE):
            raise
        _report(error)
        return 1
    return result if isinstance(result, int) else 0


def _report(error: Exception) -> None:
    """Say in a line (a line a fault) what went wrong."""
    from schemas.errors import StagewatchError

    if isinstance(error, StagewatchError):
        click.echo(str(error), err=True)
    elif isinstance(error, OSError) and error.filename is not None:
        click.echo(f"{error.filename}: {error.strerror}", err=True)
    else:
        click.echo(f"{type(error).__name__}: {error} (-v shows where)", err=True)


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the locale cannot write must not end a command
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
