"""`stagewatch bench`: the benchmarks of the bench room."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from importlib import import_module

import click

from stagewatch.cli import command, output_option, unknown


@command(short_help="Run a benchmark.")
@click.argument("name", required=False)
@click.option("--broker", metavar="HOST:PORT", help="Work on this Kafka and leave the topics; else start one.")
@output_option
def bench(*, name: str | None, broker: str | None, form: str) -> int:
    """Run the benchmark NAME; without one, list them."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    room = import_module("bench")
    known: dict[str, str] = getattr(room, "BENCHMARKS", {})
    if name is None:
        output.table(["name", "measures"], known.items(), empty="no benchmarks")
        return 0
    if name not in known:
        raise click.UsageError(unknown("benchmark", name, known))
    room.run(name, broker, output)
    return 0
