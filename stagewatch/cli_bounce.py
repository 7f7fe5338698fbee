"""`stagewatch notifications bounce`: take in mails that came back, from files or from a mail system's pipe."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import click

from stagewatch.cli import Failed, bootstrap_of, command, output_option, settings_from, settings_option
from stagewatch.cli_notifications import TOPIC
from stagewatch.cli_store import opened_store
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas import Instruction
    from sinks import Bounce
    from sinks.store import NotificationRow, Store

BY = "mail system"
"""Who learnt it."""
MOST = 1_000
"""Notifications that one mail can stand for: more than `mail_digest_max`."""


@command(short_help="Take in mails that came back.")
@click.argument("files", nargs=-1, type=click.File("rb"), metavar="[FILE]...")
@click.option("--dry-run", is_flag=True, help="Show what they say, and write nothing.")
@settings_option
@output_option
def bounce(*, files: Sequence[BinaryIO], dry_run: bool, config: Path | None, form: str) -> None:
    """Take in delivery status notifications (RFC 3464) from FILES, or from standard input.

    What a mail stood for becomes refused, with the mail system's reason; or delivered, where it was unknown. The same
    as `bounces=MAILDIR` of smtp_url does, for mail systems that hand mail to a command.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    said = [(file.name, _read(file)) for file in files or (click.get_binary_stream("stdin"),)]
    with opened_store(config, output) as store:
        found = [(bounce, _rows_of(store, name, bounce)) for name, bounce in said]
    output.table(
        ["msg_id", "state", "reason", "notifications"],
        ([each.msg_id, _instruction(each, "").instruction, _reason(each), len(rows)] for each, rows in found),
    )
    if dry_run:
        output.say(f"would take in {len(found)} mails")
        return
    from schemas import encode_instruction

    records = [(rows[0].recipient_no, encode_instruction(_instruction(each, rows[0].key))) for each, rows in found]
    send_records(bootstrap_of(settings_from(config, output)), TOPIC, records)
    output.done(f"took in {len(found)}; `notifications list` shows what came of it")


def _read(file: BinaryIO) -> Bounce:
    """Give what a mail says of a message of ours. Raises Failed."""
    from sinks import bounce_of

    found = bounce_of(file.read())
    if found is None:
        raise Failed(f"{file.name}: no delivery status notification that ends a mail of ours")
    return found


def _rows_of(store: Store, name: str, bounce: Bounce) -> Sequence[NotificationRow]:
    """Give what the mail stood for. Raises Failed."""
    rows = store.notifications(msg_id=bounce.msg_id, limit=MOST)
    if not rows:
        raise Failed(f"{name}: no notification left as message {bounce.msg_id}")
    return rows


def _instruction(bounce: Bounce, key: str) -> Instruction:
    from schemas import Instruction
    from sinks import Refused

    what: Literal["refuse", "confirm"] = "refuse" if isinstance(bounce.outcome, Refused) else "confirm"
    return Instruction(instruction=what, key=key, by=BY, reason=_reason(bounce))


def _reason(bounce: Bounce) -> str:
    return str(getattr(bounce.outcome, "reason", "")) or str(getattr(bounce.outcome, "receipt", ""))
