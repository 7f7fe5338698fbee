"""`stagewatch evaluate`: a replay's folder and the running system give the same; units come of their table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from rules import EvaluationFile, Period, delta_key, state_council_calendar
from schemas import AlertEvent, Change, IndicatorDelta, IndicatorValue, decode_indicator, encode_alert, encode_indicator
from sinks.store import AlertEventRow, IndicatorRow, InstanceRow, Store, StoreBatch
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from stagewatch.evaluation_inputs import parents_of
from stagewatch.topic_reader import read_topic

Said = pytest.CaptureFixture[str]
TOPICS = ("stagewatch.indicators", "cdc.ymd.ymd_org")
NOON = "2026-03-31T04:00:00.000Z"
DUE_MS = 1_774_800_000_000
"""2026-03-29T16:00Z: the end of 29 March in Shanghai."""
UNITS = {"3340101": "33401", "3340102": "33499", "33401": "33", "33499": "33", "33": None}
"""The second county belongs to a city that its code does not tell."""


def value(org_no: str, numerator: int, denominator: int, code: str = "I122") -> IndicatorValue:
    return IndicatorValue(
        indicator=code, org_no=org_no, date="2026-03-31", dims={"process": "hv_connection"}, numerator=numerator,
        denominator=denominator, value=numerator / denominator, at=NOON,
    )  # fmt: skip


VALUES = [value("3340101", 8, 10), value("3340102", 9, 10)]
ALERT = AlertEvent(
    alert_id="a1", event="closed", rule="R-T04", rule_version=1, severity="ALARM", process="hv_connection",
    instance="A1", stage="SCHEME", visit=1, raised_at=DUE_MS, due_at=DUE_MS, org_no="3340101", dept="营销",
    person="M1", object=None, text="<b>", evidence=(),
)  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "instance": "A1", "process": "hv_connection", "status": "running", "org_no": "3340101", "fields": {},
    "visits": [{"stage": "SCHEME", "visit": 1, "entered_at": NOON, "finished_at": NOON}], "next_due_at": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a replay wrote."""
    found = tmp_path / "out"
    found.mkdir()
    (found / "indicators.jsonl").write_bytes(b"".join(encode_indicator(each) + b"\n" for each in VALUES))
    (found / "alerts.jsonl").write_bytes(encode_alert(ALERT) + b"\n")
    (found / "instances.jsonl").write_bytes(msgspec.json.encode(DOCUMENT) + b"\n")
    return found


@pytest.fixture
def store(data_dir: Path) -> None:
    """The same as workers keep it."""
    opened = Store(f"sqlite:///{data_dir}/stagewatch.db")
    instance = InstanceRow(
        process="hv_connection", instance="A1", org_no="3340101", status="running", stages=(), entered_at=None,
        state=json.dumps(DOCUMENT), updated_at=DUE_MS, position=1,
    )  # fmt: skip
    alert = AlertEventRow(event=ALERT, topic="stagewatch.alerts", partition=0, offset=0, at=DUE_MS)
    indicators = [IndicatorRow(value=each, position=n) for n, each in enumerate(VALUES)]
    opened.write(StoreBatch(instances=[instance], alerts=[alert], indicators=indicators))
    opened.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker") / "broker.log") as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(name=topic, num_partitions=2, replication_factor=1) for topic in TOPICS])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
        for record in unit_records():
            producer.send("cdc.ymd.ymd_org", record["value"], key=record["key"])
        producer.close()
        yield broker


def unit_records() -> list[dict[str, bytes]]:
    return [
        {
            "key": json.dumps({"org_no": org_no}).encode(),
            "value": json.dumps({"op": "r", "before": None, "after": row, "source": {"lsn": n, "ts_ms": 1}}).encode(),
        }
        for n, (org_no, above) in enumerate(UNITS.items())
        for row in [{"org_no": org_no, "parent_org_no": above, "valid_from": None, "valid_to": None}]
    ]


def evaluated(capsys: Said, *arguments: str) -> dict[str, Any]:
    assert run(["evaluate", "--period", "2026-03", "-o", "json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def scores(report: dict[str, Any]) -> dict[str, float]:
    return {row["org_no"]: row["score"] for row in report["summary"] if row["eval_item"] == "total"}


def test_a_late_visit_is_deducted_from_who_was_alarmed(folder: Path, capsys: Said) -> None:
    report = evaluated(capsys, "--from", str(folder), "--org", "3340101")
    assert scores(report) == {"3340101": 33.3333}
    (unit,) = report["units"]
    assert unit["lost"] == 66.6667
    named, unnamed = sorted(unit["detail"], key=lambda row: str(row["app_no"]))
    assert (named["app_no"], named["duty_dept"], named["duty_person"], named["deducted_score"], named["late_h"]) == (
        "A1", "营销", "M1", 33.3333, 36.0,
    )  # fmt: skip
    assert named["reason"] == "供电方案编制超期（R-T04），超时限1天12小时"
    assert (unnamed["app_no"], unnamed["reason"]) == (None, "方案及时率：超期而无告警记录")
    assert {"duty_person": "M1", "deducted_score": 33.3333, "deductions": 1} in unit["by_person"]


@pytest.mark.usefixtures("store")
def test_the_running_system_gives_the_same_with_the_tree_of_its_table_of_units(
    folder: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    offline = evaluated(capsys, "--from", str(folder))
    monkeypatch.setenv("STAGEWATCH_BROKER", broker.url)
    running = evaluated(capsys)
    assert scores(offline) == {"33": 50, "33401": 50, "3340101": 33.3333, "3340102": 66.6667}
    assert scores(running) == {"33": 50, "33401": 33.3333, "3340101": 33.3333, "33499": 66.6667, "3340102": 66.6667}
    assert running["units"] == offline["units"]


def test_the_table_of_units_is_read_from_recorded_events_too(folder: Path, tmp_path: Path, capsys: Said) -> None:
    lines = [
        {"topic": "cdc.ymd.ymd_org", "partition": 0, "offset": n, "timestamp": n, "key": json.loads(record["key"]),
         "value": json.loads(record["value"]), "headers": {}}
        for n, record in enumerate(unit_records())
    ]  # fmt: skip
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = scores(evaluated(capsys, "--from", str(folder), "--events", str(events)))
    assert found == {"33": 50, "33401": 33.3333, "3340101": 33.3333, "33499": 66.6667, "3340102": 66.6667}


@pytest.mark.usefixtures("store")
def test_scores_and_ranks_are_published_as_indicators(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("STAGEWATCH_BROKER", broker.url)
    command = ["evaluate", "--period", "2026-03", "--write"]
    assert run([*command, "--dry-run"]) == 0
    assert "would publish 20 values" in capsys.readouterr().err
    assert list(read_topic(broker.bootstrap, "stagewatch.indicators")) == []
    assert run(command) == 0
    records = list(read_topic(broker.bootstrap, "stagewatch.indicators"))
    found = [decode_indicator(record.value or b"") for record in records]
    totals = {(v.indicator, v.org_no): v.value for v in found if v.dims["item"] == "total"}
    assert (totals["I234", "33"], totals["I234", "3340101"], totals["I234R", "3340101"]) == (50, 33.3333, 1)
    assert all(v.date == "2026-03-31" and v.dims["period"] == "2026-03" for v in found)
    for record, each in zip(records, found, strict=True):
        dims = json.dumps(each.dims, separators=(",", ":"), sort_keys=True)
        delta = IndicatorDelta(each.indicator, each.org_no, each.date, dims, 0, 0, 0)
        assert record.key == delta_key(delta).encode()


def test_the_page_shows_what_stands_in_the_data_as_text(folder: Path, capsys: Said) -> None:
    text = (folder / "instances.jsonl").read_text().replace("3340101", "<i>")
    (folder / "instances.jsonl").write_text(text)
    (folder / "indicators.jsonl").write_bytes(encode_indicator(value("<i>", 8, 10)) + b"\n")
    assert run(["evaluate", "--period", "2026-03", "--from", str(folder), "-o", "html"]) == 0
    page = capsys.readouterr().out
    assert "<i>" not in page
    assert "&lt;i&gt;" in page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--period", "2026-13"], 2, "'2026-13' is no period; write 2026-W10, 2026-03, 2026-Q1 or 2026"),
        (["--period", "2026-03", "--evaluation", "connections"], 2, "did you mean connection?"),
        (["--period", "2026-03", "--org", "3340109"], 1, "no unit with a score '3340109'"),
        (["--period", "2026-03", "--write"], 2, "leave --from out"),
        (["--period", "2025-03"], 0, "nothing was measured in this period"),
    ],
)
def test_what_cannot_be_evaluated_is_said(
    folder: Path, arguments: list[str], code: int, said: str, capsys: Said
) -> None:
    assert run(["evaluate", *arguments, "--from", str(folder)]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["alerts.jsonl", "indicators.jsonl", "instances.jsonl"])
def test_a_file_that_lacks_or_cannot_be_read_is_named_with_its_line(folder: Path, name: str, capsys: Said) -> None:
    whole = (folder / name).read_text()
    (folder / name).write_text(f"{whole}{{oops\n")
    assert run(["evaluate", "--period", "2026-03", "--from", str(folder)]) == 1
    assert f"{folder / name}:{whole.count(chr(10)) + 1}: " in capsys.readouterr().err
    (folder / name).unlink()
    assert run(["evaluate", "--period", "2026-03", "--from", str(folder)]) == 1
    assert f"{folder} is no folder of a replay: it has no {name}" in capsys.readouterr().err


def unit_change(org_no: str, *, op: Any = "u", **fields: Any) -> Change:
    return Change("org", "", org_no, op, 1, 0, "t", 0, 0, {"org_no": org_no, **fields} if op != "d" else {})


def test_the_tree_is_that_of_the_periods_last_day() -> None:
    calendar, march = state_council_calendar(), Period.parse("2026-03")
    first, last = DUE_MS - 29 * 86_400_000, DUE_MS + 2 * 86_400_000
    changes = [
        unit_change("A", parent_org_no="X", valid_from=first, valid_to=last),
        unit_change("B", parent_org_no="X", valid_from=last),
        unit_change("C", parent_org_no="X", valid_to=last - 2),
        unit_change("D", parent_org_no="X"),
        unit_change("D", op="d"),
        unit_change("E", parent_org_no="X"),
        unit_change("E", parent_org_no=""),
        unit_change("F", parent_org_no="X", org_name="F"),
        unit_change("F", org_name="G"),
    ]
    assert parents_of(changes, march, calendar) == {"A": "X", "E": None, "F": "X"}


def test_the_shipped_evaluation_has_four_dimensions_of_a_quarter_each() -> None:
    from rules import SHIPPED, read_definitions  # noqa: PLC0415 - one test's

    (file,) = (each for each in read_definitions([SHIPPED]).of(EvaluationFile) if each.id == "connection")
    assert {d.code: d.weight for d in file.dimensions} == {
        "scale": 25, "efficiency": 25, "compliance": 25, "service": 25,
    }  # fmt: skip
