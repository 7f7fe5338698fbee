"""Reports: sums before quotients, counts that add up, and text of other people that stays text."""

import asyncio
import struct

import pytest

from schemas import Channel, ReportUnit, TryLater
from sinks import Delivered, Message, Refused, ReportMails, RetryAfter, Senders
from sinks.report import Tables, tables_of
from sinks.report_book import workbook
from sinks.report_brief import report_brief
from sinks.report_chart import Bar, chart
from sinks.report_html import report_html, report_text
from sinks.store import Findings
from tests.helpers.notices import SHANGHAI, delivery, message, notice
from tests.helpers.reports import anomaly, findings, order, sheets, value

FIGURES = [
    value("I122", "3340101", "2026-03-02", 1, 2),
    value("I122", "334010203", "2026-03-03", 8, 8),
    value("I111", "3340101", "2026-03-02", 3),
    value("I111", "33401", "2026-03-08", 1),
]
ANOMALIES = [
    anomaly(1, "3340101", "2026-03-08T23:30+08:00"),
    anomaly(2, "334010203", "2026-03-02T00:30+08:00"),
    anomaly(3, "33401", "2026-03-02T00:10+08:00"),
]


def tables(**changes: object) -> Tables:
    return tables_of(order(**changes), findings(FIGURES, ANOMALIES), SHANGHAI)


def test_a_share_of_a_unit_is_reckoned_from_the_sums_of_those_below_it() -> None:
    own, first, second, rest = tables().units
    assert [line.values[0] for line in (own, first, second, rest)] == [0.9, 0.5, 1.0, None]
    assert [line.values[1] for line in (own, first, second, rest)] == [4.0, 3.0, None, 1.0]


def test_anomalies_of_units_and_of_days_add_up_to_the_rows_of_the_list() -> None:
    made = tables()
    assert [line.anomalies for line in made.units] == [3, 1, 1, 1]
    assert {line.label: line.anomalies for line in made.days if line.anomalies} == {"2026-03-02": 2, "2026-03-08": 1}
    assert (made.total, len(sheets(workbook(made, SHANGHAI))["异常明细"]) - 1) == (3, 3)


def test_a_unit_without_units_below_it_has_one_line() -> None:
    assert [line.label for line in tables(units=()).units] == ["衢州供电公司"]


def test_a_mail_lists_as_many_as_it_may_and_says_how_many_there_are() -> None:
    made = tables(rows=1)
    text = report_text(made, SHANGHAI)
    assert "本期异常 3 条，列出最近 1 条，其余见附件" in text
    assert ("332600000001" in text, "332600000002" in text) == (True, False)


def test_text_of_other_tables_is_neither_markup_nor_a_formula() -> None:
    nasty = anomaly(4, "33401", "2026-03-03T00:00+08:00", text='=HYPERLINK("http://x")', person="<b>\x01王")
    made = tables_of(order(), findings([], [nasty]), SHANGHAI)
    assert "&lt;b&gt;" in report_html(made, SHANGHAI, "c")
    assert sheets(workbook(made, SHANGHAI))["异常明细"][1][7:] == (
        "<b>\ufffd王", "2026-03-02 24:00", "2026-03-02 24:00", "未结", '=HYPERLINK("http://x")'
    )  # fmt: skip


def test_the_picture_has_a_line_for_each_bar() -> None:
    heights = []
    for count in (1, 3):
        data = chart([Bar(n, float(n), "90.0%") for n in range(count)])
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        heights.append(struct.unpack(">II", data[16:24])[1])
    assert heights[1] - heights[0] == 2 * 26


def test_what_has_no_values_at_all_is_drawn_too() -> None:
    assert chart([Bar(1, 0.0, "-")]).startswith(b"\x89PNG")


def test_a_mail_with_alerts_and_a_report_says_both() -> None:
    mails = ReportMails(lambda asked, limit: findings(FIGURES, ANOMALIES[:limit]))
    report = notice("r", channel="mail", report=order(), text="业扩周报", rule="week")
    both = mails.fill(message(notice("a", channel="mail"), report))
    assert both.subject == "【业扩管控】1 条预警待处理；【业扩管控】业扩周报 衢州供电公司 2026-W10"
    assert ('data-alert="a"' in both.html, 'data-alert="r"' in both.html, 'data-report="week"' in both.html) == (
        True, False, True,
    )  # fmt: skip
    alone = mails.fill(message(report))
    assert (alone.topic, both.topic) == ("week", "")
    assert [part.name for part in alone.parts] == ["week.png", "业扩周报_33401_2026-W10.xlsx"]


def test_a_store_that_is_away_is_the_callers_to_wait_for() -> None:
    def away(_asked: object, _limit: int) -> Findings:
        raise TryLater("away")

    with pytest.raises(TryLater):
        ReportMails(away).fill(message(notice(channel="mail", report=order())))


def test_a_text_message_has_the_figures_of_the_unit_and_where_most_anomalies_are() -> None:
    made = tables_of(
        order(), findings(FIGURES, [*ANOMALIES, anomaly(4, "3340102", "2026-03-03T00:00+08:00")]), SHANGHAI
    )
    assert report_brief(made, notice(report=order())) == (
        "【业扩管控】业扩周报 衢州供电公司 2026-W10：方案及时率90.0%，受理户数4户，"
        "异常4条（江山供电所2条、柯城供电所1条、本级及其他1条）。"
    )
    open_late = tables_of(order(anomalies="open", units=()), findings([], []), SHANGHAI)
    assert report_brief(open_late, notice(is_late=True)) == (
        "【业扩管控】业扩周报（补发） 衢州供电公司 2026-W10：方案及时率–，受理户数–，未结异常0条。"
    )


def test_a_text_message_about_many_units_names_those_with_most_and_stays_within_three_parts() -> None:
    units = tuple(ReportUnit(f"33401{n:02}", f"第{n}供电所", 1) for n in range(60))
    found = [anomaly(n, f"33401{n:02}", "2026-03-03T00:00+08:00") for n in range(60)]
    text = report_brief(tables_of(order(units=units), findings([], [*found, found[59]]), SHANGHAI), notice())
    assert len(text) <= 201
    assert "异常61条（第59供电所2条、第0供电所1条" in text


def test_what_leaves_with_a_report_in_one_text_message_keeps_its_own_text() -> None:
    mails = ReportMails(lambda asked, limit: findings(FIGURES, ANOMALIES[:limit]))
    alert, report = notice("a"), notice("r", report=order(), text="业扩周报", rule="week")
    told = mails.brief(delivery(alert, report)).notices
    assert (told[0], told[1].key) == (alert, report.key)
    assert told[1].text.startswith("【业扩管控】业扩周报 衢州供电公司 2026-W10：")


def test_a_report_by_sms_leaves_with_its_figures_and_waits_for_a_store_that_is_away() -> None:
    class Phone:
        name = "phone"
        channel: Channel = "sms"
        timeout_s = 1.0

        def __init__(self) -> None:
            self.texts: list[str] = []

        async def send(self, each: Message) -> Delivered:
            self.texts.append(each.text)
            return Delivered("r")

        async def close(self) -> None: ...

    def away(_asked: object, _limit: int) -> Findings:
        raise TryLater("away")

    phone, report = Phone(), notice("r", report=order(), rule="week")
    mails = ReportMails(lambda asked, limit: findings(FIGURES, ANOMALIES[:limit]))
    outcomes = [
        asyncio.run(Senders({"sms": phone}, reports=each).send(delivery(report)))
        for each in (mails, ReportMails(away), None)
    ]
    assert [type(outcome) for outcome in outcomes] == [Delivered, RetryAfter, Refused]
    assert [text[:10] for text in phone.texts] == ["【业扩管控】业扩周报"]
