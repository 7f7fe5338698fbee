"""`stagewatch inbound`: what people write to us, as far as anybody may see it; what a text would mean; take one in.

Numbers are masked, cards and what is reported in confidence are not shown at all.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Group, bootstrap_of, command, output_option, settings_from, settings_option
from stagewatch.cli_store import limit_option
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from schemas import Text
    from stagewatch.output import Output, Value

TOPIC = "stagewatch.inbound"

inbound = Group(
    name="inbound",
    help="See what people write to us, and what a text would mean; take one in.",
    members={
        "list": "stagewatch.cli_inbound:list_texts",
        "try": "stagewatch.cli_inbound:try_text",
        "take": "stagewatch.cli_inbound:take_text",
    },
)


@command(name="list", short_help="List the texts of the last week, the newest first.")
@limit_option
@settings_option
@output_option
def list_texts(*, limit: int, config: Path | None, form: str) -> None:
    """List what came in during the last week: when, from whom (masked), what it means."""
    from schemas import BadInput, Text, decode_inbound
    from stagewatch.output import Output
    from stagewatch.topic_reader import read_topic

    output = Output(is_json=form == "json")
    found = []
    for record in read_topic(_broker(config, output), TOPIC):
        try:
            told = decode_inbound(record.value or b"")
        except BadInput:
            continue
        if isinstance(told, Text):
            found.append(told)
    newest = islice(sorted(found, key=lambda text: -text.at), limit)
    rows = [list(_shown(text).values()) for text in newest]
    output.table(["at", "from", "road", "kind", "text"], rows)


@command(name="try", short_help="Show what a text would be taken for.")
@click.argument("text")
@click.option("--from", "mobile", required=True, help="The number that it would come from.")
@click.option("--staff", is_flag=True, help="It is the mobile of somebody who may have tasks.")
@output_option
def try_text(*, text: str, mobile: str, staff: bool, form: str) -> None:
    """Show what TEXT means; nothing is sent, kept or answered."""
    from schemas import Text
    from stagewatch.output import Output

    shown = _shown(Text(id="", mobile=mobile, text=text, at=0), is_staff=staff)
    Output(is_json=form == "json").record({name: shown[name] for name in ("from", "kind", "text")})


@command(name="take", short_help="Take in a text as a carrier's gateway would.")
@click.argument("mobile")
@click.argument("text")
@click.option("--id", "name", default="", help="The gateway's own for it: one that was here changes nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken in, and take in nothing.")
@settings_option
@output_option
def take_text(  # noqa: PLR0913 - click hands over every option
    *, mobile: str, text: str, name: str, dry_run: bool, config: Path | None, form: str
) -> None:
    """Take in TEXT as a message from MOBILE; what comes of it is decided by the worker that owns the number."""
    import time

    from schemas import Text
    from sinks import mobile_digits
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    digits = mobile_digits(mobile)
    if digits is None:
        raise click.UsageError("MOBILE: digits of a telephone number, such as 13900000001")
    bootstrap = _broker(config, output)
    said = Text(id=f"hand:{name}" if name else "", mobile=digits, text=text, at=int(time.time() * 1000), road="hand")
    output.record(_shown(said))
    if dry_run:
        output.say("would take in 1 text")
        return
    _send(bootstrap, said)
    output.done("took in 1 text")


def _shown(text: Text, *, is_staff: bool = False) -> dict[str, Value]:
    """Give a text as anybody may see it."""
    from rules import read_text, without_cards
    from schemas import iso
    from sinks import masked, masked_address

    meaning = read_text(text.text, is_staff=is_staff)
    kind = str(getattr(meaning, "kind", type(meaning).__name__.lower()))
    body = "(restricted)" if kind == "report" else masked(without_cards(text.text))
    return {
        "at": iso(text.at), "from": masked_address(text.mobile), "road": text.road, "kind": _KINDS.get(kind, kind),
        "text": body,
    }  # fmt: skip


_KINDS = {
    "cardtext": "recharge", "taskreply": "task reply", "M05": "subscription", "M06": "subscription",
    "*": "subscription",
}  # fmt: skip


def _broker(config: Path | None, output: Output) -> str:
    return bootstrap_of(settings_from(config, output))


def _send(bootstrap: str, text: Text) -> None:
    from schemas import encode_inbound

    send_records(bootstrap, TOPIC, [(text.mobile, encode_inbound(text))])
