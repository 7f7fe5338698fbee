"""S0-24: the analysis arrives by mail at its set time, with the table drilled through; at 03:00 the duty person hears.

The worker runs on the wall clock; its calendar's zone is one in which it is past three in the morning.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from rules import SHIPPED
from stagewatch.receivers import ReceivedMail, SmtpReceiver
from tests.helpers.reports import attached, opened, sheets
from tests.helpers.requirements import needs
from tests.helpers.tasks import late_application, manager, wait_for_sms
from tests.helpers.whole_system import PATIENCE_S, POLL_S, Document, WholeSystem, ago, example, whole_system

TOPICS = [
    "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress", "cdc.mkt.tg_manager", "cdc.mkt.stakeholder", "cdc.ymd.ymd_org",
]  # fmt: skip
AHEAD_S = 20
"""Between the choice of a minute and its report: to have it published in time. Where that takes longer, the next."""
WAIT_S = "90"
COUNTY, STATION, SIBLING = "33499", "3349909", "3349910"
NIGHT = """version: calendar/v1
id: night
title: 夜
timezone: Etc/GMT{offset:+d}
base: every_day
tests:
  - {{name: a day, entered: "2026-03-02T09:00Z", limit: 1wd, due: "{due}"}}
"""
REPORT = """version: report/v1
id: night_report
title: 业扩值班分析
execution: {{frequency: hourly, at: "00:{minute:02}"}}
roles: [management]
indicators: [I111, I124]
anomalies: open
tests:
  - {{name: by the hour, after: "2026-03-02T09:00Z", leaves: "2026-03-02T{hour:02}:{minute:02}Z", period: "{day}"}}
"""


def three_in_the_morning(now: datetime) -> int:
    """Give the zone in which it is past three, as `Etc/GMT` writes it: the sign is the other way round."""
    east = (3 - now.hour) % 24
    return -(east if east <= 14 else east - 24)


@dataclass(frozen=True)
class Night:
    """A system at past three in the morning, and its mail server."""

    system: WholeSystem
    mails: SmtpReceiver
    definitions: str
    offset: int

    def report_in_a_moment(self) -> datetime:
        """Publish the report for a minute that is still to come; give it."""
        while True:
            leaves = (datetime.now(UTC) + timedelta(seconds=AHEAD_S + 60)).replace(second=0, microsecond=0)
            path = self.system.folder / f"report-{leaves:%H%M}.yaml"
            path.write_text(report_at(leaves.minute, self.offset), "utf-8")
            self.system.done(
                "rules", "apply", str(path), "--wait", WAIT_S, definitions=self.definitions, calendar="night"
            )
            if datetime.now(UTC) < leaves:
                return leaves


@pytest.fixture(name="night", scope="module")
def running_at_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    own = folder / "night.yaml"
    offset = three_in_the_morning(datetime.now(UTC))
    own.write_text(night_at(offset), "utf-8")
    definitions = os.pathsep.join(map(str, (SHIPPED, own)))
    with needs("kafka"), SmtpReceiver() as mails, whole_system(
        folder, TOPICS, definitions=definitions, calendar="night",
        smtp_url=mails.url, quiet_hours="{duty: [D-S024], channels: [sms]}", mail_digest_s="2",
    ) as system:  # fmt: skip
        yield Night(system, mails, definitions, offset)


def local(offset: int) -> datetime:
    """Give the moment of the definitions' own tests in the night's zone."""
    return datetime(2026, 3, 2, 9, tzinfo=UTC) - timedelta(hours=offset)


def night_at(offset: int) -> str:
    after_next = local(offset).replace(hour=0) + timedelta(days=2, hours=offset)
    return NIGHT.format(offset=offset, due=after_next.strftime("%Y-%m-%dT%H:%MZ"))


def report_at(minute: int, offset: int) -> str:
    hour = 9 if minute else 10
    day = (local(offset) + timedelta(hours=hour - 9)).date().isoformat()
    return REPORT.format(minute=minute, hour=hour, day=day)


def test_s0_24_mail_with_the_table_drilled_through_arrives_at_the_set_time(night: Night) -> None:
    system = night.system
    parents = {COUNTY: None, STATION: COUNTY, SIBLING: COUNTY}
    for org_no, parent in parents.items():
        row = example("ymd", "ymd_org", org_no=org_no, org_name=f"单位{org_no}", parent_org_no=parent)
        system.capture("ymd", "ymd_org", row)
    boss = example(
        "mkt", "stakeholder", stakeholder_id="SH-S024", org_no=COUNTY, role="management", person_no="P-S024",
        person_name="李主任", mobile=None, mail="p-s024@example.com", valid_from=ago(days=1), valid_to=None,
    )  # fmt: skip
    system.capture("mkt", "stakeholder", boss)
    late_application(system, "S024-3", None)
    system.wait_for_alerts("S024-3", ("R-T04", "ALARM"))
    leaves = night.report_in_a_moment()

    mail = the_report(system, night.mails)
    assert leaves <= datetime.now(UTC), "not before its time"
    parsed = opened(mail.content)
    assert "业扩值班分析 单位33499" in mail.subject
    assert [part.get_content_type() for part in parsed.walk() if part["Content-ID"]] == ["image/png"]
    ((_, workbook),) = attached(parsed).items()
    found = sheets(workbook)
    counts = {str(row[0]).strip(): row[-1] for row in found["按单位"][1:]}
    listed = [row[5] for row in found["异常明细"][1:]]
    assert counts == {
        "单位33499": len(listed), "单位3349909": listed.count(STATION), "单位3349910": 0,
    }, "from the number to the units, and from the units to the rows"  # fmt: skip
    assert ("S024-3" in mail.html, "单位3349909" in mail.html) == (True, True)
    system.until(lambda: reports_sent(system))
    (notice,) = reports_sent(system)
    assert (notice["recipient_no"], notice["at"]) == ("P-S024", leaves.strftime("%Y-%m-%dT%H:%M:00.000Z"))


def test_s0_24_alert_at_three_in_the_morning_reaches_the_duty_person(night: Night) -> None:
    system = night.system
    manager(system, "TG-S024D", "D-S024", "13924000001")
    manager(system, "TG-S024M", "M-S024", "13924000002")
    late_application(system, "S024-2", "TG-S024M")
    late_application(system, "S024-1", "TG-S024D")
    wait_for_sms(system, "13924000001", "S024-1")
    assert not [sms for sms in system.sms.received if sms.mobile == "13924000002"], "it can wait for the morning"


def reports_sent(system: WholeSystem) -> list[Document]:
    return [row for row in system.ask("notifications", "list", "--channel", "mail") if row["rule"] == "night_report"]


def the_report(system: WholeSystem, mails: SmtpReceiver) -> ReceivedMail:
    deadline = time.monotonic() + PATIENCE_S + 60 + AHEAD_S
    while True:
        found = [each for each in mails.received if each.recipient == "p-s024@example.com"]
        if found:
            assert len(found) == 1
            return found[0]
        assert time.monotonic() < deadline, system.worker.log_tail()
        time.sleep(POLL_S)
