"""`stagewatch bench`: the benchmarks of the bench room."""

from __future__ import annotations

import click

from stagewatch.cli import command, output_option, unknown


@command(short_help="Run a benchmark.")
@click.argument("name", required=False)
@click.option("--broker", metavar="HOST:PORT", help="Work on this Kafka and leave the topics; else start one.")
@output_option
def bench(*, name: str | None, broker: str | None, form: str) -> int:
    """Run the benchmark NAME; without one, list them."""
    import bench as room
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    known: dict[str, str] = getattr(room, "BENCHMARKS", {})
    if name is None:
        output.table(["name", "measures"], known.items(), empty="no benchmarks")
        return 0
    if name not in known:
        raise click.UsageError(unknown("benchmark", name, known))
    room.run(name, broker, output)
    return 0
