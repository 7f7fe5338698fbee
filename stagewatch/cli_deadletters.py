"""`stagewatch deadletters`: what was refused, and why; and back in after a fix."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, Group, bootstrap_of, command, output_option, settings_from, settings_option

if TYPE_CHECKING:
    from schemas import DeadLetter
    from stagewatch.output import Output, Value

deadletters = Group(
    name="deadletters",
    help="Look at what was refused, and why; send it in again after a fix.",
    members={
        "list": "stagewatch.cli_deadletters:list_letters",
        "show": "stagewatch.cli_deadletters:show_letter",
        "replay": "stagewatch.cli_deadletters:replay_letters",
    },
)

SHOWN_BYTES = 4_000
"""How much of a refused record a person is shown; `-o json` has all of it."""


def _bootstrap(config: Path | None, output: Output) -> str:
    return bootstrap_of(settings_from(config, output))


def _letters(bootstrap: str, output: Output) -> list[tuple[str, DeadLetter]]:
    """Give every dead letter with its number (`partition-offset`), oldest first."""
    from schemas import BadInput, decode_dead_letter
    from stagewatch.topic_reader import read_topic

    found = []
    for record in read_topic(bootstrap, "stagewatch.deadletters"):
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
        for number, letter in _letters(_bootstrap(config, output), output)
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
    letter = dict(_letters(_bootstrap(config, output), output)).get(number)
    if letter is None:
        raise Failed(f"no dead letter '{number}'; `stagewatch deadletters list` has their numbers")
    fields: dict[str, Value] = {"number": number, **msgspec.structs.asdict(letter)}
    if not output.is_json:
        fields |= {"timestamp": iso(letter.timestamp), "key": _text(letter.key_b64), "value": _text(letter.value_b64)}
        fields = {name: value for name, value in fields.items() if not name.endswith("_b64")}
    output.record(fields)


@command(name="replay", short_help="Send refused records in again, after a fix.")
@click.argument("numbers", nargs=-1)
@click.option("--reason", help="All of this reason.")
@click.option("--topic", help="All from this topic.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@output_option
@settings_option
def replay_letters(  # noqa: PLR0913 - its options
    *, numbers: tuple[str, ...], reason: str | None, topic: str | None, dry_run: bool, form: str, config: Path | None
) -> None:
    """Write the raw bytes of dead letters back into the partitions that they came from.

    NUMBERS are those of `list`. A record that is still wrong becomes a dead letter again; one that was sent in
    twice changes nothing the second time.
    """
    from stagewatch.output import Output
    from stagewatch.sending import Outgoing, send_all

    output = Output(is_json=form == "json")
    if not (numbers or reason or topic):
        raise click.UsageError("say which: NUMBERS, --reason or --topic")
    bootstrap = _bootstrap(config, output)
    letters = _letters(bootstrap, output)
    missing = sorted(set(numbers) - {number for number, _ in letters})
    if missing:
        raise Failed(f"no dead letter '{missing[0]}'; `stagewatch deadletters list` has their numbers")
    chosen = [
        (number, letter)
        for number, letter in letters
        if (not numbers or number in numbers) and reason in {None, letter.reason} and topic in {None, letter.topic}
    ]
    for number, letter in chosen:
        if output.is_json:
            output.record({"number": number, "topic": letter.topic, "partition": letter.partition})
        else:
            output.line(f"{number} to {letter.topic}[{letter.partition}]")
    if dry_run:
        output.say(f"would send {len(chosen)} records")
        return
    send_all(
        bootstrap,
        (Outgoing(each.topic, _bytes(each.key_b64), _bytes(each.value_b64), each.partition) for _, each in chosen),
    )
    output.done(f"sent {len(chosen)} records")


def _bytes(data_b64: str | None) -> bytes | None:
    return None if data_b64 is None else base64.b64decode(data_b64)


def _text(data_b64: str | None) -> str | None:
    """Give raw bytes as a person can read them; bytes that are no text show as hexadecimal escapes."""
    if data_b64 is None:
        return None
    data = base64.b64decode(data_b64)
    more = f" … {len(data)} bytes in all" if len(data) > SHOWN_BYTES else ""
    return data[:SHOWN_BYTES].decode("utf-8", "backslashreplace") + more
