"""`stagewatch notifications audit|cancel|retry`: whether every chain went on, and what a person does about a notice.

What an instruction does is decided by the worker that owns the notice; here it is only written to `stagewatch.notices`.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stagewatch.cli import ZONE, Failed, bootstrap_of, command, moment, output_option, settings_from, settings_option
from stagewatch.cli_store import opened_store
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sinks.store import NotificationRow

MOST = 1_000_000
"""Notifications and tasks that are looked at, the newest: a month of a province has a tenth of it."""
TOPIC = "stagewatch.notices"
CANCELLED = frozenset({"queued", "held", "retry"})
RETRIED = frozenset({"refused", "failed"})


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Give the options that cancelling and trying again share."""
    for option in (
        output_option,
        settings_option,
        click.option("--dry-run", is_flag=True, help="Show what would be meant, and write nothing."),
        click.option("--reason", default="", help="Why; shown with the notification."),
        click.option("--by", required=True, help="Number of the person who does it."),
        click.option("--state", help="Only in this state."),
        click.option("--instance", help="All about this instance, in place of keys."),
        click.option("--alert", "alert_id", help="All about this alert, in place of keys."),
        click.argument("keys", nargs=-1),
    ):
        function = option(function)
    return function


@command(name="cancel", short_help="Do not send what has not left yet.")
@_options
def cancel(*, config: Path | None, form: str, **chosen: object) -> None:
    """Cancel notifications that wait: by their KEYS (`notifications list -o json`), or all of an alert or instance."""
    _instruct("cancel", CANCELLED, config, form, **chosen)  # type: ignore[arg-type]  # click's own values


@command(name="retry", short_help="Send once more what was refused or failed.")
@click.option("--even-unknown", is_flag=True, help="Also what may have arrived: somebody may be told twice.")
@_options
def retry(*, even_unknown: bool, config: Path | None, form: str, **chosen: object) -> None:
    """Send notifications once more: by their KEYS (`notifications list -o json`), or all of an alert or instance.

    A message that stood for several notifications is sent for all of them, under the same id.
    """
    states = RETRIED | {"unknown"} if even_unknown else RETRIED
    _instruct("retry", states, config, form, **chosen)  # type: ignore[arg-type]  # click's own values


def _instruct(  # noqa: PLR0913 - click hands over every option
    what: Literal["cancel", "retry"], states: frozenset[str], config: Path | None, form: str, *,
    keys: tuple[str, ...], alert_id: str | None, instance: str | None, state: str | None, by: str, reason: str,
    dry_run: bool,
) -> None:  # fmt: skip
    from stagewatch.output import Output

    if bool(keys) == bool(alert_id or instance):
        raise click.UsageError("say which: either KEYS, or --alert or --instance")
    output = Output(is_json=form == "json")
    with opened_store(config, output) as store:
        filters = {"alert_id": alert_id, "instance": instance, "state": state}
        rows = store.notifications(limit=MOST, **filters)
    found = [row for row in rows if row.state in states and (not keys or row.key in keys)]
    missing = sorted(set(keys) - {row.key for row in found})
    if missing:
        raise Failed(f"no notification '{missing[0]}' that is {' or '.join(sorted(states))}")
    output.table(
        ["key", "state", "recipient", "text"],
        ([row.key, row.state, row.recipient_name or row.recipient_no, row.text] for row in found),
    )
    if dry_run:
        output.say(f"would {what} {len(found)} notifications")
        return
    bootstrap = bootstrap_of(settings_from(config, output))
    _send(bootstrap, what, found, by=by, reason=reason)
    output.done(f"wrote {len(found)}; `notifications list` shows what came of it")


def _send(
    bootstrap: str, what: Literal["cancel", "retry"], rows: Sequence[NotificationRow], *, by: str, reason: str
) -> None:
    """Write to the owners of the notices: their records are keyed by the recipient."""
    from schemas import Instruction, encode_instruction

    said = [(row, Instruction(instruction=what, key=row.key, by=by, reason=reason)) for row in rows]
    send_records(bootstrap, TOPIC, [(row.recipient_no, encode_instruction(each)) for row, each in said])


@command(name="audit", short_help="Report chains from an alert to its people that did not go on.")
@click.option("--at", metavar="TIME", default="now", show_default=True, help="As of TIME (ISO 8601, or `now`).")
@settings_option
@output_option
def audit_chains(*, at: str, config: Path | None, form: str) -> int:
    """Report who was told and has no task, what is not marked overdue, which step up did not come, what is stuck.

    By the store and the strategies of the definitions in effect. Exit code 1 if there is anything to report.
    """
    from schemas import iso
    from stagewatch.chain_audit import audit
    from stagewatch.in_effect import load_in_effect
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    now = moment(at, now_ms=int(time.time() * 1000), zone=ZONE)
    definitions, _ = load_in_effect(settings_from(config, output), output)
    with opened_store(config, output) as store:
        notifications = store.notifications(limit=MOST)
        tasks = [row.task for kind in ("task", "anomaly") for row in store.tasks(kind=kind, limit=MOST)]
    found = [] if definitions.strategies is None else audit(tasks, notifications, definitions.strategies, now)
    columns = ["kind", "since", "rule", "instance", "person", "task", "alert", "what"]
    rows = (
        [
            each.kind,
            iso(each.since),
            each.rule,
            each.instance,
            each.person,
            each.number or None,
            each.alert_id,
            each.text,
        ]
        for each in found
    )
    output.table(columns, rows, empty=f"every chain went on: {len(tasks)} tasks, {len(notifications)} notifications")
    return 1 if found else 0
