"""`stagewatch deadletters`: what was refused, and why."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, Group, command, output_option, settings_from, settings_option

if TYPE_CHECKING:
    from schemas import DeadLetter
    from stagewatch.output import Output, Value

deadletters = Group(
    name="deadletters",
    help="Look at what was refused, and why.",
    members={"list": "stagewatch.cli_deadletters:list_letters", "show": "stagewatch.cli_deadletters:show_letter"},
)

SHOWN_BYTES = 4_000
"""How much of a refused record a person is shown; `-o json` has all of it."""


def _letters(config: Path | None, output: Output) -> list[tuple[str, DeadLetter]]:
    """Give every dead letter with its number (`partition-offset`), oldest first."""
    from schemas import BadInput, decode_dead_letter
    from stagewatch.topic_reader import read_topic

    settings = settings_from(config, output)
    if settings.bootstrap is None:
        raise Failed("no broker is set: name it with STAGEWATCH_BROKER or in the settings file")
    found = []
    for record in read_topic(settings.bootstrap, "stagewatch.deadletters"):
        try:
            letter = decode_dead_letter(record.value or b"")
        except BadInput as error:
            output.warn(f"record {record.partition}-{record.offset} is no dead letter: {error}")
            continue
        found.append((record.timestamp, f"{record.partition}-{record.offset}", letter))
    return [(number, letter) for _, number, letter in sorted(found, key=lambda each: each[:2])]


@command(name="list", short_help="List dead letters, oldest first.")
@click.option("--reason", help="Only of this reason, e.g. not-json.")
@click.option("--topic", help="Only from this topic.")
@settings_option
@output_option
def list_letters(*, reason: str | None, topic: str | None, config: Path | None, form: str) -> None:
    """List what was refused: number, reason, place and error; oldest first."""
    from schemas import iso
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    rows: list[list[Value]] = [
        [number, iso(letter.timestamp), letter.reason, letter.topic, letter.partition, letter.offset, letter.error]
        for number, letter in _letters(config, output)
        if reason in {None, letter.reason} and topic in {None, letter.topic}
    ]
    columns = ["number", "arrived", "reason", "topic", "partition", "offset", "error"]
    output.table(columns, rows, empty="no dead letters")


@command(name="show", short_help="Show one dead letter with what it holds.")
@click.argument("number")
@settings_option
@output_option
def show_letter(*, number: str, config: Path | None, form: str) -> None:
    """Show the dead letter NUMBER (as `list` gives it) with the record that was refused."""
    import msgspec

    from schemas import iso
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    letter = dict(_letters(config, output)).get(number)
    if letter is None:
        raise Failed(f"no dead letter '{number}'; `stagewatch deadletters list` has their numbers")
    fields: dict[str, Value] = {"number": number, **msgspec.structs.asdict(letter)}
    if not output.is_json:
        fields |= {"timestamp": iso(letter.timestamp), "key": _text(letter.key_b64), "value": _text(letter.value_b64)}
        fields = {name: value for name, value in fields.items() if not name.endswith("_b64")}
    output.record(fields)


def _text(data_b64: str | None) -> str | None:
    """Give raw bytes as a person can read them; bytes that are no text show as hexadecimal escapes."""
    if data_b64 is None:
        return None
    data = base64.b64decode(data_b64)
    more = f" … {len(data)} bytes in all" if len(data) > SHOWN_BYTES else ""
    return data[:SHOWN_BYTES].decode("utf-8", "backslashreplace") + more
