"""`stagewatch demo`: the product at work on made-up traffic, in under a minute and a half."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import click

from stagewatch.cli import command


@command(short_help="Show the product at work on made-up traffic; ends by itself.")
@click.option("--events", type=click.IntRange(100, 200_000), help="Changes of history to live through.")
@click.option("--seconds", type=click.FloatRange(8, 600), help="How long the live phase lasts.")
@click.option("--json", "is_json", is_flag=True, help="The summary as one JSON object, the last line of stdout.")
def demo(*, events: int | None, seconds: float | None, is_json: bool) -> int:
    """Start an embedded broker, a mail server, an SMS gateway and a real worker, and let three source systems live.

    It counts by itself what must come of it: exit 1 if an alert or message is lost or came twice.
    """
    from stagewatch.demo.display import Display
    from stagewatch.demo.run import EVENTS, SECONDS, Demo
    from stagewatch.demo.tally import SHOWN_FAULTS
    from stagewatch.output import Output

    output = Output(is_json=is_json)
    display = Display(output, is_json=is_json)
    with display:
        figures, verdict = Demo(display, events=events or EVENTS, seconds=seconds or SECONDS).run()
    display.summary(figures, verdict.faults[:SHOWN_FAULTS])
    if is_json:
        output.line_of_json(figures)  # type: ignore[arg-type]
    return 0 if verdict.is_clean else 1
