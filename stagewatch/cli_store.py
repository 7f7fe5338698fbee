"""`stagewatch instances`, `alerts`, `notifications`: look into the read model."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, Group, command, output_option, settings_from, settings_option, unknown
from stagewatch.cli_events import events_option
from stagewatch.phones import without_phones

if TYPE_CHECKING:
    from schemas import AlertEvent
    from sinks.store import NotificationRow, Store
    from stagewatch.output import Output, Value

instances = Group(
    name="instances",
    help="Look at process instances.",
    members={"get": "stagewatch.cli_store:get_instance", "history": "stagewatch.cli_travel:history"},
)
alerts = Group(
    name="alerts",
    help="Look at alerts.",
    members={"list": "stagewatch.cli_store:list_alerts", "explain": "stagewatch.cli_explain:explain"},
)
notifications = Group(
    name="notifications",
    help="Look at what became of notifications; cancel them, or send them once more.",
    members={
        "list": "stagewatch.cli_store:list_notifications",
        "retry": "stagewatch.cli_notifications:retry",
        "cancel": "stagewatch.cli_notifications:cancel",
        "bounce": "stagewatch.cli_bounce:bounce",
        "costs": "stagewatch.cli_costs:costs",
        "audit": "stagewatch.cli_notifications:audit_chains",
    },
)

limit_option = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many, newest first."
)


@contextmanager
def opened_store(config: Path | None, output: Output) -> Iterator[Store]:
    """Open the store that the settings name, which a worker must have made."""
    from sinks.store import Store

    url = settings_from(config, output).store
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    if file is not None and not file.exists():
        raise Failed(f"no store at {file}: has a worker run with these settings?")
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


@command(name="get", short_help="Show the state of one instance.")
@click.argument("key")
@click.option("--process", help="If several processes have an instance of this key.")
@click.option("--at", metavar="TIME", help="As of TIME (ISO 8601, or `now`), judged again from what was captured.")
@events_option
@settings_option
@output_option
def get_instance(  # noqa: PLR0913 - click hands over every option
    *, key: str, process: str | None, at: str | None, events: tuple[Path, ...], config: Path | None, form: str
) -> None:
    """Show the state of the instance KEY (an app_no, or an nl_no).

    With --at or --events it is reckoned anew from the captured topics, or from files; else it is what the workers
    keep in the store.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    if at is not None or events:
        from stagewatch.cli_travel import state_at

        output.record(without_phones(state_at(settings_from(config, output), events, key, at, output)))
        return
    with opened_store(config, output) as store:
        row = store.instance(key, process)
    if row is None:
        raise Failed(f"no instance '{key}'" + (f" of process '{process}'" if process else ""))
    output.record(without_phones(json.loads(row.state)))


@command(name="list", short_help="List alerts, the last raised first.")
@click.option("--rule", help="Only of this rule, e.g. R-T03.")
@click.option("--org", "org_no", help="Only of this unit.")
@click.option("--state", type=click.Choice(["raised", "escalated", "acknowledged", "cleared", "closed", "reopened"]))
@click.option("--severity", type=click.Choice(["INFO", "WARN", "ALARM", "CRITICAL"]))
@click.option("--instance", help="Only of this instance.")
@limit_option
@settings_option
@output_option
def list_alerts(  # noqa: PLR0913 - click hands over every option
    *, rule: str | None, org_no: str | None, state: str | None, severity: str | None, instance: str | None,
    limit: int, config: Path | None, form: str,
) -> None:  # fmt: skip
    """List alerts in their present state, the last raised first."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    with opened_store(config, output) as store:
        found = store.alerts(
            rule=rule, org_no=org_no, state=state, severity=severity, instance=instance, limit=limit
        )  # fmt: skip
        if rule is not None and not found and not store.alerts(rule=rule, limit=1):
            _refuse_unknown_rule(rule, config, output)
    if output.is_json:
        for row in found:
            output.record({"state": row.state, **alert_document(row.event)})
        return
    columns = ["raised", "rule", "severity", "state", "instance", "stage", "due", "org", "text", "id"]
    output.table(columns, (_alert_line(row.state, row.event) for row in found))


def _refuse_unknown_rule(code: str, config: Path | None, output: Output) -> None:
    """Raise UsageError if the definitions have no such rule; alerts of a rule that is gone are still listed."""
    from rules import RuleFile, read_definitions

    loaded = read_definitions(settings_from(config, output).definitions)
    codes = sorted({rule.code for file in loaded.of(RuleFile) for rule in file.rules})
    if code not in codes and "rules/v1" not in loaded.broken:
        raise click.UsageError(unknown("rule", code, codes))


def alert_document(event: AlertEvent) -> dict[str, Value]:
    """Give an alert event as the contract writes it."""
    from schemas import encode_alert

    document: dict[str, Value] = json.loads(encode_alert(event))
    return document


def _alert_line(state: str, event: AlertEvent) -> list[Value]:
    from schemas import iso

    due = iso(event.due_at) if event.due_at is not None else None
    return [
        iso(event.raised_at), event.rule, event.severity, state, event.instance, event.stage, due, event.org_no,
        event.text, event.alert_id,
    ]  # fmt: skip


@command(name="list", short_help="List notifications, the last added first.")
@click.option("--state", help="Only in this state: delivered, refused, unknown, no_channel, ...")
@click.option("--channel", type=click.Choice(["sms", "mail", "online", "none"]))
@click.option("--instance", help="Only about this instance.")
@click.option("--alert", "alert_id", help="Only about this alert.")
@limit_option
@settings_option
@output_option
def list_notifications(  # noqa: PLR0913 - click hands over every option
    *, state: str | None, channel: str | None, instance: str | None, alert_id: str | None, limit: int,
    config: Path | None, form: str,
) -> None:  # fmt: skip
    """List what became of each notification, the last added first."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    with opened_store(config, output) as store:
        found = store.notifications(state=state, channel=channel, alert_id=alert_id, instance=instance, limit=limit)
    if output.is_json:
        for row in found:
            output.record(_notification_document(row))
        return
    columns = ["at", "channel", "state", "recipient", "rule", "severity", "instance", "text", "reason"]
    output.table(columns, (_notification_line(row) for row in found))


def _notification_document(row: NotificationRow) -> dict[str, Value]:
    import msgspec

    from schemas import iso

    document: dict[str, Value] = msgspec.structs.asdict(row)
    for name in ("at", "due_at", "added_at", "updated_at"):
        time = document[name]
        document[name] = iso(time) if isinstance(time, int) else None
    return document


def _notification_line(row: NotificationRow) -> list[Value]:
    from schemas import iso

    return [
        iso(row.at), row.channel, row.state, row.recipient_name or row.recipient_no, row.rule, row.severity,
        row.instance, row.text, row.reason,
    ]  # fmt: skip
