"""`stagewatch bench`: the benchmarks of the bench room."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from importlib import import_module

import click

from stagewatch.cli import command, output_option, unknown


@command(short_help="Run a benchmark.")
@click.argument("name", required=False)
@click.option("--broker", metavar="HOST:PORT", help="Work on this Kafka and leave the topics; else start one.")
@click.option("--events", type=click.IntRange(1), help="How many events.")
@click.option("--instances", type=click.IntRange(1), help="How many process instances are open.")
@click.option("--rate", type=click.IntRange(1), help="Events a second.")
@click.option("--seconds", type=click.IntRange(1), help="For how long.")
@click.option("--simulated", type=click.IntRange(1), help="How many SMS of a year in virtual time (sms).")
@click.option("--raise-baseline", is_flag=True, default=None, help="Keep what was reached, if it is more (ratchet).")
@output_option
def bench(*, name: str | None, broker: str | None, form: str, **options: int | None) -> int:
    """Run the benchmark NAME; without one, list them. Exit 1 if a goal is missed."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    room = import_module("bench")
    known: dict[str, str] = room.BENCHMARKS
    if name is None:
        output.table(["name", "measures"], list(known.items()))
        return 0
    if name not in known:
        raise click.UsageError(unknown("benchmark", name, known))
    given = {key: value for key, value in options.items() if value is not None}
    is_met = room.run(name, broker.removeprefix("kafka://") if broker else None, output, given)
    return 0 if is_met else 1
