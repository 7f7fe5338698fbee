"""`stagewatch tasks` and `stagewatch commands`: look at tasks, anomalies and work orders, and act on them.

What a command does is decided by the worker that owns the task; here it is only written to `stagewatch.commands`.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, Group, bootstrap_of, command, output_option, settings_from, settings_option
from stagewatch.cli_store import limit_option, opened_store
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from schemas import Act, Command, TaskView
    from stagewatch.output import Output, Value

KINDS = (
    "acknowledge", "reply", "close", "hand_over", "lock", "unlock", "feed_back", "finish", "approve", "reject",
    "confirm", "dismiss", "merge", "package", "dispatch", "rectify", "forward", "archive",
)  # fmt: skip
NAMES_PERSON = frozenset({"hand_over", "forward", "archive"})
TIMES = ("updated_at", "created_at", "reply_due", "finish_due", "replied_at", "closed_at")

tasks = Group(
    name="tasks",
    help="Look at supervision tasks, anomalies and work orders; close tasks or reply to them.",
    members={
        "list": "stagewatch.cli_tasks:list_tasks",
        "show": "stagewatch.cli_tasks:show_task",
        "totals": "stagewatch.cli_anomalies:show_totals",
        "close": "stagewatch.cli_tasks:close_tasks",
        "reply": "stagewatch.cli_tasks:reply_to_tasks",
    },
)
commands = Group(
    name="commands",
    help="Tell the worker what somebody does about a task, an anomaly or a work order.",
    members={"send": "stagewatch.cli_tasks:send_commands"},
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")


class _Amount(click.ParamType):
    """A number from 0 on, every digit kept."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:  # noqa: ANN401
        try:
            amount = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no number", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is no number from 0 on", param, ctx)
        return amount


AMOUNT = _Amount()


@command(name="list", short_help="List tasks, anomalies, packages and work orders.")
@click.option("--kind", type=click.Choice(["task", "parent", "order", "anomaly", "package"]), help="Only of this kind.")
@click.option("--state", help="Only in this state: SENT, OVERDUE, CLOSED, LOCKED, RAISED, ...")
@click.option("--person", "person_no", help="Only of this person: whose task it is, who holds the order.")
@click.option("--org", "org_no", help="Only of this unit.")
@click.option("--instance", help="Only about this instance.")
@limit_option
@settings_option
@output_option
def list_tasks(  # noqa: PLR0913 - click hands over every option
    *, kind: str | None, state: str | None, person_no: str | None, org_no: str | None, instance: str | None,
    limit: int, config: Path | None, form: str,
) -> None:  # fmt: skip
    """List tasks, anomalies, packages and orders as they stand, the last changed first."""
    from schemas import iso
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    with opened_store(config, output) as store:
        found = [
            row.task
            for row in store.tasks(
                kind=kind, state=state, person_no=person_no, org_no=org_no, instance=instance, limit=limit
            )
        ]
    if output.is_json:
        for task in found:
            output.record(document_of(task))
        return
    columns = ["number", "kind", "state", "overdue", "person", "rule", "instance", "org", "reply due", "text"]
    output.table(
        columns,
        (
            [
                task.number, task.kind, task.state, task.is_overdue, task.person_name or task.person_no, task.rule,
                task.instance, task.org_no, None if task.reply_due is None else iso(task.reply_due), task.text,
            ]
            for task in found
        ),
    )  # fmt: skip


@command(name="show", short_help="Show one task or order with its history.")
@click.argument("number")
@settings_option
@output_option
def show_task(*, number: str, config: Path | None, form: str) -> None:
    """Show a task or a work order and every step of its life."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    with opened_store(config, output) as store:
        found = store.tasks(number=number, limit=1)
    if not found:
        raise Failed(f"no task or order '{number}'; `stagewatch tasks list` has their numbers")
    output.record(document_of(found[0].task))


def document_of(task: TaskView) -> dict[str, Any]:
    """Give a task as JSON has it: times as ISO 8601."""
    import msgspec

    from schemas import iso

    document: dict[str, Any] = msgspec.to_builtins(task)
    for name in TIMES:
        time = document[name]
        document[name] = iso(time) if isinstance(time, int) else None
    names = ("at", "by", "what", "note")

    def acts_of(acts: Iterable[Act]) -> list[dict[str, Value]]:
        return [dict(zip(names, (iso(act.at), act.by, act.what, act.note), strict=True)) for act in acts]

    document["acts"] = acts_of(task.acts)
    if task.anomaly is not None:
        facts = document["anomaly"]
        facts["refused"] = acts_of(task.anomaly.refused)
        for made in facts["rectifications"]:
            made["at"] = iso(made["at"])
    return document


@command(name="close", short_help="Close supervision tasks by hand.")
@click.argument("numbers", nargs=-1, required=True)
@click.option("--by", required=True, help="Number of the person who closes them.")
@click.option("--remark", "text", default="", help="Why; kept with the task.")
@dry_run_option
@settings_option
@output_option
def close_tasks(  # noqa: PLR0913 - click hands over every option
    *, numbers: tuple[str, ...], by: str, text: str, dry_run: bool, config: Path | None, form: str
) -> None:
    """Close tasks by their NUMBERS, without a reply from the manager's mobile."""
    _check_numbers(numbers)
    _do("close", numbers, by=by, text=text, dry_run=dry_run, config=config, form=form)


@command(name="reply", short_help="Take in a reply as a gateway would: a text from a mobile.")
@click.argument("mobile")
@click.argument("text")
@dry_run_option
@settings_option
@output_option
def reply_to_tasks(*, mobile: str, text: str, dry_run: bool, config: Path | None, form: str) -> None:
    """Take in TEXT as a message that came from MOBILE; each number in it closes its task."""
    _do("reply", (mobile,), by=mobile, text=text, dry_run=dry_run, config=config, form=form)


@command(name="send", short_help="Send a command about tasks, anomalies or work orders.")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("keys", nargs=-1, required=True)
@click.option("--by", required=True, help="Number of the person who does it.")
@click.option("--text", default="", help="What was found or done; why it is dismissed, rejected or opened.")
@click.option(
    "--to",
    default="",
    help="hand_over, forward: who gets it; archive: whose duty it was; merge: the same one's number.",
)
@click.option("--version", type=int, help="The version that was seen: the command counts only for it.")
@click.option("--dept", default="", help="confirm: the department that has to act; archive: whose duty it was.")
@click.option("--energy", "energy_kwh", type=AMOUNT, default="0", help="rectify: energy recovered, kWh.")
@click.option("--money", type=AMOUNT, default="0", help="rectify: money recovered, yuan.")
@click.option("--errors", type=click.IntRange(0), default=0, help="rectify: errors put right.")
@click.option("--points", type=AMOUNT, default="0", help="archive: points taken off.")
@dry_run_option
@settings_option
@output_option
def send_commands(
    *, kind: str, keys: tuple[str, ...], dry_run: bool, config: Path | None, form: str, **said: Any  # noqa: ANN401
) -> None:  # fmt: skip
    """Send one command of KIND for each of KEYS: numbers of tasks, anomalies, packages or work orders."""
    if kind in NAMES_PERSON and not said["to"]:
        raise click.UsageError(f"{kind}: say who with --to")
    if kind == "merge" and not said["to"]:
        raise click.UsageError("merge: say with --to which anomaly is the same")
    if kind == "dismiss" and not said["text"]:
        raise click.UsageError("dismiss: say why with --text")
    if kind in {"acknowledge", "close"}:
        _check_numbers(keys)
    _do(kind, keys, dry_run=dry_run, config=config, form=form, **said)


def _check_numbers(numbers: Sequence[str]) -> None:
    """Raise UsageError for what cannot be a task's number: its check digit is wrong."""
    from rules import is_number

    wrong = [number for number in numbers if not is_number(number)]
    if wrong:
        raise click.UsageError(f"'{wrong[0]}' is no number of a task; `stagewatch tasks list` has them")


def _do(
    kind: str, keys: Sequence[str], *, dry_run: bool, config: Path | None, form: str, **said: Any  # noqa: ANN401
) -> None:  # fmt: skip
    """Send a command for each key; `said`: its other fields."""
    import time
    from typing import get_args

    from schemas import Command, CommandKind
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    bootstrap = bootstrap_of(settings_from(config, output))
    known = next(each for each in get_args(CommandKind) if each == kind)
    at = int(time.time() * 1000)
    sent = [Command(kind=known, key=key, at=at, **said) for key in keys]
    for each in sent:
        _show(each, output)
    if dry_run:
        output.say(f"would send {len(sent)} commands")
        return
    _send(bootstrap, sent)
    output.done(f"sent {len(sent)} commands")


def _show(sent: Command, output: Output) -> None:
    """Print a command; a mobile number masked."""
    from schemas import iso
    from sinks import masked_address

    is_mobile = sent.kind == "reply"
    key, by = (masked_address(sent.by), masked_address(sent.by)) if is_mobile else (sent.key, sent.by)
    shown: dict[str, Value] = {"kind": sent.kind, "key": key, "by": by, "at": iso(sent.at), "text": sent.text}
    for name in ("to", "dept", "energy_kwh", "money", "errors", "points"):
        if value := getattr(sent, name):
            shown[name] = value if isinstance(value, int) else str(value)
    output.record(shown)


def _send(bootstrap: str, sent: Sequence[Command]) -> None:
    from schemas import encode_command

    send_records(bootstrap, "stagewatch.commands", [(each.key, encode_command(each)) for each in sent])
