"""`instances`, `alerts`, `notifications`, `settings`: what people and machines read of the read model."""

import json
from pathlib import Path

import pytest

from schemas import AlertEvent, AlertEventKind, encode_alert
from sinks.store import AlertEventRow, InstanceRow, NotificationRow, Store, StoreBatch
from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]
AT = 1_782_180_000_000


def alert(number: int, rule: str = "R-T03", event: AlertEventKind = "raised") -> AlertEvent:
    return AlertEvent(
        alert_id=f"id{number}", event=event, rule=rule, rule_version=1, severity="WARN", process="hv_connection",
        instance=f"A{number}", stage="SURVEY", visit=1, raised_at=AT + number, due_at=AT + 1000, org_no="3340101",
        dept="MKT", person="M001", object=None, text=f"申请A{number}\x1b[2J现场勘查", evidence=(),
    )  # fmt: skip


def notification(number: int) -> NotificationRow:
    return NotificationRow(
        key=f"k{number}", alert_id=f"id{number}", rule="R-T03", severity="WARN", process="hv_connection",
        instance=f"A{number}", org_no="3340101", recipient_no="M001", recipient_name="王伟", channel="sms",
        text="请处理", is_late=False, at=AT, due_at=None, state="delivered", attempt=1, msg_id="m", receipt="r",
        reason="", added_at=AT, updated_at=AT, version=1,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def filled(data_dir: Path) -> None:
    store = Store(f"sqlite:///{data_dir}/stagewatch.db")
    events = [alert(1), alert(2, "R-N01"), alert(3), alert(3, event="closed")]
    state = json.dumps({"instance": "A1", "process": "hv_connection", "status": "running"})
    instance = InstanceRow(
        process="hv_connection", instance="A1", org_no="3340101", status="running", stages=("SURVEY",), entered_at=AT,
        state=state, updated_at=AT, position=1,
    )  # fmt: skip
    rows = [
        AlertEventRow(event=event, topic="stagewatch.alerts", partition=0, offset=n, at=AT + n)
        for n, event in enumerate(events)
    ]
    store.write(StoreBatch(instances=[instance], alerts=rows, notifications=[notification(1), notification(2)]))
    store.close()


@pytest.mark.usefixtures("filled")
def test_alerts_as_json_are_those_of_the_contract_with_their_state(capsys: Said) -> None:
    assert run(["alerts", "list", "-o", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(each["alert_id"], each["state"]) for each in found} == {
        ("id1", "raised"),
        ("id2", "raised"),
        ("id3", "closed"),
    }
    first = next(each for each in found if each["alert_id"] == "id1")
    assert first == {"state": "raised", **json.loads(encode_alert(alert(1)))}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--rule", "R-N01"], {"id2"}),
        (["--state", "closed"], {"id3"}),
        (["--org", "none"], set()),
        (["--severity", "WARN", "--limit", "2"], {"id3", "id2"}),
        (["--instance", "A1"], {"id1"}),
    ],
)
def test_alerts_are_filtered(options: list[str], expected: set[str], capsys: Said) -> None:
    assert run(["alerts", "list", *options, "-o", "json"]) == 0
    assert {json.loads(line)["alert_id"] for line in capsys.readouterr().out.splitlines()} == expected


@pytest.mark.usefixtures("filled")
def test_a_table_for_people_holds_nothing_that_a_terminal_obeys(capsys: Said) -> None:
    assert run(["alerts", "list"]) == 0
    out = capsys.readouterr().out
    assert "现场勘查" in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("filled")
def test_an_instance_is_shown_and_an_unknown_one_fails(capsys: Said) -> None:
    assert run(["instances", "get", "A1", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "running"
    assert run(["instances", "get", "A9"]) == 1
    said = capsys.readouterr()
    assert (said.out, "A9" in said.err) == ("", True)


@pytest.mark.usefixtures("filled")
def test_notifications_are_listed_with_times_people_and_machines_read(capsys: Said) -> None:
    assert run(["notifications", "list", "--state", "delivered", "-o", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["at"] for each in found] == ["2026-06-23T02:00:00.000Z"] * 2
    assert run(["notifications", "list", "--channel", "mail"]) == 0
    assert capsys.readouterr().out == ""


def test_without_a_store_it_says_so_and_makes_none(data_dir: Path, capsys: Said) -> None:
    assert run(["alerts", "list"]) == 1
    assert "has a worker run" in capsys.readouterr().err
    assert list(data_dir.iterdir()) == []


def test_settings_say_value_source_and_meaning_and_hide_passwords(
    monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("STAGEWATCH_SMTP_URL", "smtp://me:hunter2@mail.example.com")
    assert run(["settings", "-o", "json"]) == 0
    rows = {row["key"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["smtp_url"]["source"] == "STAGEWATCH_SMTP_URL"
    assert "hunter2" not in str(rows)
    assert all(row["meaning"] for row in rows.values())


def test_dead_letters_need_a_broker(capsys: Said) -> None:
    assert run(["deadletters", "list"]) == 1
    assert "STAGEWATCH_BROKER" in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
def test_alerts_of_an_unknown_rule_are_refused_with_the_known(capsys: Said) -> None:
    assert run(["alerts", "list", "--rule", "R-T99"]) == 2
    assert "R-T03" in capsys.readouterr().err
    assert run(["alerts", "list", "--rule", "R-T05"]) == 0
