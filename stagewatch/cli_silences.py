"""`stagewatch silences`: what is not told for a while, on whose word and why.

They are records of `stagewatch.silences`, which every worker reads; what a silence covers is in `notifications list` as
`muted`, with the silence in its reason.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import (
    ZONE,
    Failed,
    Group,
    bootstrap_of,
    command,
    moment,
    output_option,
    settings_from,
    settings_option,
)
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas import Silence
    from stagewatch.output import Output, Value

TOPIC = "stagewatch.silences"
MATCHERS = ("rule", "org_no", "object_no", "process", "instance")

silences = Group(
    name="silences",
    help="Look at silences, make and end them: what is not told for a while.",
    members={
        "list": "stagewatch.cli_silences:list_silences",
        "add": "stagewatch.cli_silences:add_silence",
        "end": "stagewatch.cli_silences:end_silences",
    },
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
owner_option = click.option("--by", required=True, help="Number of the person who answers for it.")


@command(name="list", short_help="List silences, those that end first at the top.")
@click.option("--all", "is_all", is_flag=True, help="Also those that are over.")
@settings_option
@output_option
def list_silences(*, is_all: bool, config: Path | None, form: str) -> None:
    """List the silences that hold or will hold."""
    from schemas import iso
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    now = int(time.time() * 1000)
    every = _known(_bootstrap(config, output)).values()
    found = sorted((each for each in every if is_all or each.until > now), key=lambda each: (each.until, each.id))
    if output.is_json:
        for silence in found:
            output.record(_document(silence))
        return
    columns = ["id", "by", "from", "until", "ended by", "silences", "reason"]
    rows = (
        [each.id, each.owner, iso(each.at), iso(each.until), each.ended_by or None, _matchers(each), each.reason]
        for each in found
    )
    output.table(columns, rows, empty="no silences")


@command(name="add", short_help="Silence what matches all that is named, until a time.")
@owner_option
@click.option("--until", metavar="TIME", help="When it ends: ISO 8601, local time without a zone.")
@click.option("--for", "span", metavar="SPAN", help="How long it lasts, in place of --until: 30m, 4h, 2d.")
@click.option("--reason", required=True, help="Why; shown with everything that it silences.")
@click.option("--rule", help="Code of a rule. Here and below, `*` at the end stands for any rest.")
@click.option("--org", "org_no", help="Code of a unit: 33401*.")
@click.option("--object", "object_no", help="Number of a transformer, line or substation.")
@click.option("--process", help="Id of a process.")
@click.option("--instance", help="Key of an instance.")
@dry_run_option
@settings_option
@output_option
def add_silence(  # noqa: PLR0913 - click hands over every option
    *, by: str, until: str | None, span: str | None, reason: str, rule: str | None, org_no: str | None,
    object_no: str | None, process: str | None, instance: str | None, dry_run: bool, config: Path | None, form: str,
) -> None:  # fmt: skip
    """Do not tell what matches all that is named, from now until a time. Alerts are raised all the same.

    What is silenced is not told later either; the next rung, a reminder or an escalation after its end is.
    """
    import msgspec

    from schemas import Silence
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    now = int(time.time() * 1000)
    silence = Silence(
        id="", owner=by, at=now, until=_end(until, span, now), reason=reason,
        rule=rule, org_no=org_no, object_no=object_no, process=process, instance=instance,
    )  # fmt: skip
    if not _matchers(silence):
        raise click.UsageError("say what it silences: --rule, --org, --object, --process or --instance")
    silence = msgspec.structs.replace(silence, id=_id_of(silence))
    _write([silence], output, config, dry_run=dry_run)


@command(name="end", short_help="End silences before their time.")
@click.argument("ids", nargs=-1, required=True)
@owner_option
@dry_run_option
@settings_option
@output_option
def end_silences(*, ids: tuple[str, ...], by: str, dry_run: bool, config: Path | None, form: str) -> None:
    """End silences now, by their IDS. One that is over stays as it is."""
    import msgspec

    from stagewatch.cli import unknown
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    now = int(time.time() * 1000)
    known = _known(_bootstrap(config, output))
    for name in ids:
        if name not in known:
            raise Failed(unknown("silence", name, sorted(known)))
    ended = [
        msgspec.structs.replace(known[name], until=now, ended_by=by)
        for name in dict.fromkeys(ids)
        if known[name].until > now
    ]
    _write(ended, output, config, dry_run=dry_run)


def _end(until: str | None, span: str | None, now: int) -> int:
    """Give when it ends, epoch ms. Raises UsageError."""
    from rules import parse_duration

    if (until is None) == (span is None):
        raise click.UsageError("say when it ends: either --until or --for")
    if until is not None:
        ends = moment(until, now_ms=now, zone=ZONE)
    else:
        try:
            length = parse_duration(span or "")
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--for") from None
        if not length.is_clock:
            raise click.BadParameter(f"'{span}' is no span of minutes, hours or days", param_hint="--for")
        ends = now + length.clock_ms
    if ends <= now:
        raise click.UsageError("its end has passed already")
    return ends


def _id_of(silence: Silence) -> str:
    """Give eight hexadecimal digits: short enough to type, and different for whatever two people do at once."""
    import hashlib

    text = f"{silence.owner} {silence.at} {_matchers(silence)}"
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _bootstrap(config: Path | None, output: Output) -> str:
    return bootstrap_of(settings_from(config, output))


def _known(bootstrap: str) -> dict[str, Silence]:
    """Give all silences by id, as they stand. Raises TryLater."""
    from schemas import BadInput, decode_silence
    from stagewatch.topic_reader import read_topic

    found: dict[str, Silence] = {}
    for record in read_topic(bootstrap, TOPIC):
        try:
            silence = decode_silence(record.value or b"")
        except BadInput:  # anybody may write there
            continue
        found[silence.id] = silence
    return found


def _document(silence: Silence) -> dict[str, Value]:
    import json

    from schemas import encode_silence

    document: dict[str, Value] = json.loads(encode_silence(silence))
    return document


def _matchers(silence: Silence) -> str:
    named = ((name.removesuffix("_no"), getattr(silence, name)) for name in MATCHERS)
    return " ".join(f"{name}={value}" for name, value in named if value is not None)


def _write(changed: Iterable[Silence], output: Output, config: Path | None, *, dry_run: bool) -> None:
    """Show them, and write them unless it is a dry run."""
    from schemas import encode_silence

    every = list(changed)
    for silence in every:
        output.record(_document(silence))
    if dry_run:
        output.say(f"would write {len(every)} silences")
        return
    bootstrap = _bootstrap(config, output)
    send_records(bootstrap, TOPIC, [(each.id, encode_silence(each)) for each in every], partition=0)
    output.done(f"wrote {len(every)} silences; workers heed them within a second")
