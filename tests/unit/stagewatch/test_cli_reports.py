"""`reports`: what leaves when, what a mail would say, and what is refused before anything is sent."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from schemas import IndicatorValue, epoch_ms
from sinks.store import AlertEventRow, IndicatorRow, Store, StoreBatch
from stagewatch.__main__ import run
from tests.helpers.reports import anomaly, value

Said = pytest.CaptureFixture[str]


def stored(number: int, org_no: str, at: str) -> AlertEventRow:
    return AlertEventRow(
        event=anomaly(number, org_no, at), topic="stagewatch.alerts", partition=0, offset=number, at=epoch_ms(at)
    )


def figure(number: int, made: IndicatorValue) -> IndicatorRow:
    return IndicatorRow(value=made, position=number)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STAGEWATCH_BROKER", "embedded")
    made = Store(f"sqlite:///{tmp_path}/stagewatch.db")
    figures = [
        value("I122", "3340101", "2026-02-03", 1, 4), value("I122", "33401", "2026-02-28", 1, 1),
        value("I122", "33401", "2026-03-01", 9, 9), value("I122", "33402", "2026-02-03", 9, 9),
    ]  # fmt: skip
    alerts = [
        stored(1, "3340101", "2026-02-28T23:59+08:00"), stored(2, "33401", "2026-03-01T00:00+08:00"),
        stored(3, "33402", "2026-02-03T00:00+08:00"),
    ]  # fmt: skip
    rows = [figure(n, each) for n, each in enumerate(figures)]
    made.write(StoreBatch(indicators=rows, alerts=alerts))
    made.close()


def preview(*options: str) -> int:
    return run(["reports", "preview", "management_month", "--org", "33401", "--at", "2026-03-01T08:00", *options])


def test_reports_are_listed_with_the_time_at_which_each_leaves_next(capsys: Said) -> None:
    assert run(["reports", "list", "-o", "json"]) == 0
    found = {row["id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["open_anomalies"]["when"] == "weekly, day 1, at 08:00"
    assert found["management_month"]["next"].endswith("-01T00:00:00.000Z")


def test_a_preview_counts_its_units_and_its_period_and_nothing_beside_them(capsys: Said) -> None:
    assert preview() == 0
    said = capsys.readouterr().out
    assert "业扩报装分析月报 33401 2026-02" in said
    assert "40.0%" in said, "two of five, in February, of the unit and those below it"
    assert "本期异常 1 条" in said
    assert ("332600000001" in said, "332600000002" in said, "332600000003" in said) == (True, False, False)


def test_a_preview_is_the_mails_own_page(capsys: Said) -> None:
    assert preview("-o", "html") == 0
    assert 'data-report="management_month"' in capsys.readouterr().out


def test_a_preview_as_workbook_can_be_opened(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert preview("-o", "xlsx") == 0
    book = load_workbook(BytesIO(capsysbinary.readouterr().out), read_only=True)
    assert book.sheetnames == ["按单位", "按日期", "异常明细"]


def test_an_unknown_report_lists_the_known(capsys: Said) -> None:
    assert run(["reports", "preview", "monthly", "--org", "33401"]) == 2
    assert "known: management_month, open_anomalies" in capsys.readouterr().err


def test_sending_without_a_broker_says_how_to_name_one(capsys: Said) -> None:
    assert run(["reports", "send", "management_month"]) == 1
    assert "STAGEWATCH_BROKER" in capsys.readouterr().err
