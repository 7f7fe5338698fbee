"""`stagewatch reports`: which analyses are mailed when, what one would show now, and one sent by hand.

What a command sends is written to `stagewatch.notices`, as a worker writes it at the set time; the outbox sees to it
that the same report, unit, period and person is sent once.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from stagewatch.cli import (
    ZONE,
    Group,
    bootstrap_of,
    command,
    moment,
    output_option,
    settings_from,
    settings_option,
    unknown,
)
from stagewatch.cli_store import opened_store
from stagewatch.sending import send_records

if TYPE_CHECKING:
    from rules import Definitions, Reference, Report
    from schemas import Notice
    from sinks import Message
    from stagewatch.output import Output
    from stagewatch.settings import Settings

PEOPLE = frozenset({"org", "stakeholder"})
"""Entities that say who gets a report and which units it is drilled down to."""

reports = Group(
    name="reports",
    help="Look at the analyses that are mailed at set times; preview one, or send it now.",
    members={
        "list": "stagewatch.cli_reports:list_reports",
        "preview": "stagewatch.cli_reports:preview",
        "send": "stagewatch.cli_reports:send",
    },
)
at_option = click.option(
    "--at", "at_text", default="now", show_default=True, metavar="TIME", help="As if it left then: ISO 8601, or `now`."
)


class _Ground(NamedTuple):
    """What the commands rest on; times are epoch ms."""

    settings: Settings
    definitions: Definitions
    now: int
    at: int
    """When the report leaves, or would."""

    @classmethod
    def of(cls, config: Path | None, output: Output, at_text: str = "now") -> _Ground:
        """Read settings and definitions, and the time that counts."""
        from rules import Choice, Ledger, compiled
        from schemas import DefinitionError
        from stagewatch.rule_book import base_set, read_ledger

        settings = settings_from(config, output)
        loaded = base_set(settings, read_ledger(settings.bootstrap) if settings.bootstrap else Ledger())
        if loaded.faults:
            raise DefinitionError(loaded.faults)
        definitions = compiled(loaded, Choice(limits=settings.limits, calendar=settings.calendar))
        now = int(time.time() * 1000)
        return cls(settings, definitions, now, moment(at_text, now_ms=now, zone=ZONE))

    def report(self, name: str) -> Report:
        """Find a report by its id."""
        found = self.definitions.reports.by_id
        if name not in found:
            raise click.UsageError(unknown("report", name, found))
        return found[name]

    def reference(self) -> Reference:
        """Read units and people from the captured topics; nobody and nothing where no broker is set."""
        from connectors import load_sources
        from rules import Reference
        from stagewatch.captured import Captured

        made, settings = Reference(PEOPLE), self.settings
        if settings.bootstrap is None:
            return made
        catalog = load_sources(list(settings.sources), settings.dialect_overrides, settings.precedence)
        mappings = [mapping for mapping in catalog.mappings if mapping.entity in PEOPLE]
        for _, change in Captured(catalog, settings).changes(mappings):
            made.add(change)
        return made


@command(name="list", short_help="List the reports and when each leaves next.")
@settings_option
@output_option
def list_reports(*, config: Path | None, form: str) -> None:
    """List the reports of the definitions in effect."""
    from schemas import iso
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    ground = _Ground.of(config, output)
    output.table(
        ["id", "title", "channel", "when", "next", "roles", "units", "indicators"],
        (
            [
                name, report.file.title, report.file.channel, report.file.execution.said,
                iso(report.next_after(ground.now)), report.file.roles, report.file.units, report.file.indicators,
            ]
            for name, report in sorted(ground.definitions.reports.by_id.items())
        ),
    )  # fmt: skip


@command(short_help="Show the mail of a report as it would be now.")
@click.argument("name", metavar="REPORT")
@click.option("--org", "org_no", required=True, metavar="CODE", help="The unit that it is about.")
@at_option
@click.option("-o", "--output", "form", type=click.Choice(["text", "html", "xlsx"]), default="text",
              help="html: as mail shows it, without its picture; xlsx: its workbook.")  # fmt: skip
@settings_option
def preview(*, name: str, org_no: str, at_text: str, form: str, config: Path | None) -> None:
    """Show what a mail of REPORT about a unit says, from the store's figures; nothing is sent."""
    from msgspec.structs import replace

    from rules import notice_of
    from schemas import Recipient
    from stagewatch.output import Output

    output = Output()
    ground = _Ground.of(config, output, at_text)
    report = ground.report(name)
    if report.file.channel == "sms" and form != "text":
        raise click.UsageError(f"{name} is a text message: it has no {form}")
    order = report.order(org_no, ground.at, ground.reference(), known_at=ground.now)
    notice = notice_of(order, Recipient("preview", mail="preview@localhost"), ground.at)
    message = _filled(replace(notice, channel=report.file.channel), config, output)
    if form == "xlsx":
        click.get_binary_stream("stdout").write(next(part.data for part in message.parts if not part.cid))
    else:
        text = f"{message.subject}\n\n{message.text}" if message.subject else f"{message.text}\n"
        click.echo(message.html if form == "html" else text, nl=False)


def _filled(notice: Notice, config: Path | None, output: Output) -> Message:
    from zoneinfo import ZoneInfo

    from sinks import Delivery, ReportMails, compose, message_id

    delivery = Delivery(msg_id=message_id([notice.key]), attempt=1, notices=(notice,))
    with opened_store(config, output) as store:
        mails = ReportMails(lambda order, limit: store.findings(order, limit=limit))
        if notice.channel == "sms":
            return compose(mails.brief(delivery), ZoneInfo(ZONE))
        return mails.fill(compose(delivery, ZoneInfo(ZONE)))


@command(short_help="Send a report now to those who get it.")
@click.argument("name", metavar="REPORT")
@click.option("--org", "org_no", metavar="CODE", help="Only about this unit.")
@at_option
@click.option("--again", is_flag=True, help="Also to those who have it already.")
@click.option("--dry-run", is_flag=True, help="Show who would get it, and send nothing.")
@settings_option
@output_option
def send(  # noqa: PLR0913 - click hands over every option
    *, name: str, org_no: str | None, at_text: str, again: bool, dry_run: bool, config: Path | None, form: str
) -> None:
    """Send REPORT now, as it would leave at its set time, to all who have one of its roles.

    Who has it already for the same unit and period is left out, unless --again is given.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    ground = _Ground.of(config, output, at_text)
    report = ground.report(name)
    bootstrap = bootstrap_of(ground.settings)
    notices = _notices(ground, report, org_no, f"again-{int(time.time())}" if again else "")
    output.table(
        ["report", "unit", "person", "name"],
        ([name, each.instance, each.recipient.no, each.recipient.name] for each in notices),
        empty=f"nobody has a role of it ({', '.join(report.file.roles)})",
    )
    if not dry_run and notices:
        _write(bootstrap, notices)
        output.done(f"handed {len(notices)} reports to the outbox")


def _notices(ground: _Ground, report: Report, org_no: str | None, rung: str) -> list[Notice]:
    import msgspec

    from rules import Routing

    reference = ground.reference()
    routing = Routing(reference, mail_domain=ground.settings.mail_domain)
    found = report.notices(ground.at, reference, routing, known_at=ground.now)
    return [msgspec.structs.replace(each, rung=rung) for each in found if org_no in {None, each.org_no}]


def _write(bootstrap: str, notices: list[Notice]) -> None:
    from schemas import encode_notice
    from stagewatch.published import NOTICES

    send_records(bootstrap, NOTICES, [(each.recipient.no, encode_notice(each)) for each in notices])
