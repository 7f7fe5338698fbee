"""`stagewatch settings`: all settings with value, source and meaning."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path

from stagewatch.cli import command, output_option, settings_from, settings_option


@command(short_help="List all settings with value, source and meaning.")
@settings_option
@output_option
def settings(*, config: Path | None, form: str) -> None:
    """List all settings with value, source and meaning; passwords are masked."""
    from stagewatch.output import Output
    from stagewatch.settings import describe

    output = Output(is_json=form == "json")
    output.table(["key", "value", "source", "meaning"], describe(settings_from(config, output, as_set=True)))
