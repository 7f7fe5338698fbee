"""A report's mail at a real mail server: its parts, and the headers that mail systems judge it by."""

import asyncio
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from schemas import TryLater
from sinks import (
    Changes,
    Delivered,
    Outbox,
    Outcome,
    Pipeline,
    Refused,
    ReportMails,
    RetryAfter,
    Senders,
    build_sinks,
)
from sinks.bounces import MailWithBounces
from sinks.store import Findings, NotificationRow
from stagewatch.receivers import Fault, SmtpReceiver
from tests.helpers.bounced import POSTFIX, bounced
from tests.helpers.notices import CHANNELS, MAIL, NOW, delivery, notice
from tests.helpers.reports import anomaly, attached, findings, opened, order, sheets, value

REPORT = delivery(notice("week", channel="mail", rule="week", text="业扩周报", report=order()))
FOUND = findings(
    [value("I122", "3340101", "2026-03-02", 9, 10)], [anomaly(1, "3340101", "2026-03-03T09:00+08:00")]
)  # fmt: skip


def outcomes(url: str, reports: ReportMails | None, times: int = 1) -> list[Outcome]:
    async def send() -> list[Outcome]:
        senders = Senders(build_sinks(url, None, timeout_s=2), reports=reports)
        found = []
        for _ in range(times):
            senders.reserve(REPORT)
            found.append(await senders.send(REPORT))
        await senders.close()
        return found

    return asyncio.run(send())


def received(times: int = 1) -> list[EmailMessage]:
    with SmtpReceiver() as server:
        made = outcomes(server.url, ReportMails(lambda _order, _limit: FOUND), times)
        assert all(isinstance(each, Delivered) for each in made)
        assert {each.recipient for each in server.received} == {MAIL}
        return [opened(each.content) for each in server.received]


def test_a_report_arrives_with_its_table_its_picture_in_place_and_its_workbook() -> None:
    (mail,) = received()
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "柯城供电所" in html.get_content()
    assert "90.0%" in text.get_content()
    related = [part for part in mail.walk() if part["Content-ID"]]
    (picture,) = related
    assert f"cid:{str(picture['Content-ID']).strip('<>')}" in html.get_content()
    assert (picture.get_content_type(), picture.get_content_disposition()) == ("image/png", "inline")
    ((name, data),) = attached(mail).items()
    assert name == "业扩周报_33401_2026-W10.xlsx"
    assert sheets(data)["异常明细"][1][3] == "332600000001"


def test_its_headers_are_those_of_a_list_that_nobody_answers_and_whose_domain_is_one() -> None:
    (mail,) = received()
    (sender,) = mail["From"].addresses
    assert sender.domain == "example.com"
    assert str(mail["Message-ID"]) == f"<{REPORT.msg_id}@example.com>"
    assert str(mail["List-Id"]) == "<week.stagewatch.example.com>"
    assert (str(mail["Auto-Submitted"]), parsedate_to_datetime(str(mail["Date"])).tzinfo is not None) == (
        "auto-generated", True,
    )  # fmt: skip
    assert all(len(mail.get_all(name, [])) == 1 for name in ("From", "To", "Subject", "Date", "Message-ID", "List-Id"))


def test_a_report_sent_again_keeps_its_message_id() -> None:
    first, second = received(times=2)
    assert first["Message-ID"] == second["Message-ID"]


def test_a_report_whose_figures_cannot_be_had_waits_and_reaches_nobody() -> None:
    def away(_order: object, _limit: int) -> Findings:
        raise TryLater("the store cannot be used")

    with SmtpReceiver() as server:
        (outcome,) = outcomes(server.url, ReportMails(away))
        assert isinstance(outcome, RetryAfter)
        assert server.received == []


def test_a_worker_without_a_store_says_that_it_can_make_no_report() -> None:
    with SmtpReceiver() as server:
        (outcome,) = outcomes(server.url, None)
        assert outcome == Refused("reports are made from the store, and this worker has none")


def test_a_report_that_the_mail_server_refuses_is_refused() -> None:
    with SmtpReceiver() as server:
        server.fault = Fault.REFUSE
        (outcome,) = outcomes(server.url, ReportMails(lambda _order, _limit: FOUND))
        assert isinstance(outcome, Refused)


async def commit(_changes: Changes) -> None:
    """Nothing is kept in this test."""


def test_a_mail_that_comes_back_makes_its_notice_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()

    async def live(url: str) -> NotificationRow:
        mail = MailWithBounces(build_sinks(url, None, timeout_s=2)["mail"], tmp_path, poll_s=0.02)
        senders = Senders({"mail": mail})
        outbox = Outbox(CHANNELS, lane_of=senders.lane_of)
        pipeline = Pipeline(outbox, senders, record=lambda _rows: None)
        pipeline.recover(NOW)
        told = notice("a", channel="mail")
        pipeline.offer([told], NOW)

        async def until(state: str) -> NotificationRow:
            while True:
                await pipeline.pump(NOW, commit)
                row = outbox.notification(told.key)
                if row is not None and row.state == state:
                    return row
                await asyncio.wait_for(pipeline.answered.wait(), 20)

        sent = await until("delivered")
        (tmp_path / "new" / "1").write_bytes(bounced(POSTFIX, sent.msg_id))
        refused = await until("refused")
        pipeline.close()
        await senders.close()
        return refused

    with SmtpReceiver() as server:
        row = asyncio.run(live(server.url))
    assert row.reason.startswith("the mail came back: 5.1.1")
    assert [path.name for path in (tmp_path / "cur").iterdir()] == ["1:2,S"]
