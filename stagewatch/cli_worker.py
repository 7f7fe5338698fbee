"""`stagewatch worker`: one Faust worker."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import VERBOSE, command, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from stagewatch.settings import Settings
    from streams import WorkerConfig


@command(short_help="Run one worker; start more of the same to scale out.")
@settings_option
@click.option(
    "--agents",
    metavar="NAME[,NAME]",
    help="Run only these: rekey, track, totals, notify, store. All workers of an application_id alike.",
)
def worker(*, config: Path | None, agents: str | None) -> int:
    """Run one Faust worker until SIGTERM. Start more of the same to scale out.

    Without a broker in the settings it starts the embedded one, which forgets everything when it ends.
    """
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output, as_set=True)
    worker_config(settings, settings.broker, agents)  # what is misused is said before a broker starts
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if settings.bootstrap is not None:
        return run(settings, settings.broker, agents)
    from stagewatch.embedded import EmbeddedBroker

    with EmbeddedBroker(settings.data_dir / "broker.log") as broker:
        output.say(f"embedded broker: {broker.url} (at least once, memory only; for trying out)")
        # A worker that begins anew replaces its process: it must find this broker again, not start another.
        os.environ["STAGEWATCH_BROKER"] = broker.url
        return run(settings, broker.url, agents)


def run(settings: Settings, broker: str, agents: str | None = None) -> int:
    """Run a worker with these settings on this broker; give its exit code.

    `agents`: the names of those to run, with commas between; None: all.
    """
    from stagewatch.cli_replay import load_everything
    from stagewatch.output import Output
    from streams import run_worker

    config = worker_config(settings, broker, agents)
    definitions, sources = load_everything(settings)
    for warning in sources.warnings:
        Output().warn(warning)
    is_verbose = bool(click.get_current_context().find_root().meta.get(VERBOSE))
    return run_worker(config, definitions, sources, is_verbose=is_verbose)


def worker_config(settings: Settings, broker: str, agents: str | None = None) -> WorkerConfig:
    """Give what the shell must be told, from the settings that it knows. Raises BadParameter."""
    from sinks import Mute
    from streams import WorkerConfig

    every = WorkerConfig(broker=broker).parts
    parts = frozenset(agents.split(",")) if agents else every
    for name in sorted(parts - every):
        raise click.BadParameter(unknown("agent", name, sorted(every)), param_hint="--agents")
    names = set(WorkerConfig.__struct_fields__) & set(type(settings).model_fields)
    known = {name: getattr(settings, name) for name in names}
    return WorkerConfig(
        **{
            **known,
            "broker": broker,
            "parts": parts,
            "mute": tuple(Mute(until=m.until_ms, rule=m.rule, org_no=m.org_no) for m in settings.mute),
            "data_dir": str(settings.data_dir),
            "version": version("stagewatch"),
        }
    )
