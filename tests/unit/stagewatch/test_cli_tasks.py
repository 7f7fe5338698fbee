"""`tasks` and `commands`: what people read of tasks, and what is refused before anything is sent."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from rules import task_number
from schemas import Act, AnomalyFacts, RectifyOrder, TaskView
from sinks.store import Store, StoreBatch, TaskRow
from stagewatch.__main__ import run

Said = pytest.CaptureFixture[str]
AT = 1_782_180_000_000
NUMBER = task_number("a1", "M1", owner=0, owners=1)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STAGEWATCH_BROKER", "kafka://127.0.0.1:9")
    store = Store(f"sqlite:///{tmp_path}/stagewatch.db")
    task = TaskView(
        number=NUMBER, kind="task", state="OVERDUE", version=3, updated_at=AT, rule="R-T03", instance="A1",
        org_no="3340101", person_no="M1", reply_due=AT, is_overdue=True, acts=(Act(AT, "clock", "OVERDUE"),),
    )  # fmt: skip
    order = TaskView(number="WO1", kind="order", state="LOCKED", version=1, updated_at=AT + 1, person_no="H1")
    store.write(StoreBatch(tasks=[TaskRow(task=task, position=1), TaskRow(task=order, position=2)]))
    store.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], ["WO1", NUMBER]), (["--kind", "order"], ["WO1"]), (["--person", "M1", "--state", "OVERDUE"], [NUMBER])],
)
def test_tasks_are_listed_by_kind_person_and_state(options: list[str], expected: list[str], capsys: Said) -> None:
    assert run(["tasks", "list", *options, "-o", "json"]) == 0
    assert [json.loads(line)["number"] for line in capsys.readouterr().out.splitlines()] == expected


def test_a_task_is_shown_with_every_step_of_its_life(capsys: Said) -> None:
    assert run(["tasks", "show", NUMBER, "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["reply_due"] == "2026-06-23T02:00:00.000Z"
    assert shown["acts"] == [{"at": "2026-06-23T02:00:00.000Z", "by": "clock", "what": "OVERDUE", "note": ""}]


def test_a_task_that_is_not_there_says_where_to_look(capsys: Said) -> None:
    assert run(["tasks", "show", "1"]) == 1
    assert "tasks list" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["tasks", "close", "12345678", "--by", "U1"],
        ["commands", "send", "acknowledge", "WO1", "--by", "U1"],
        ["commands", "send", "hand_over", "WO1", "--by", "U1"],
        ["commands", "send", "burn", "WO1", "--by", "U1"],
        ["commands", "send", "dismiss", "A1-0", "--by", "U1"],
        ["commands", "send", "merge", "A1-0", "--by", "U1"],
        ["commands", "send", "forward", "A1-0", "--by", "U1"],
        ["commands", "send", "archive", "A1-0", "--by", "U1"],
        ["commands", "send", "rectify", "WA1-0", "--by", "U1", "--energy", "-1"],
        ["commands", "send", "rectify", "WA1-0", "--by", "U1", "--money", "NaN"],
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(arguments: list[str], capsys: Said) -> None:
    assert run(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_a_dry_run_shows_what_would_be_sent_and_no_mobile_number(capsys: Said) -> None:
    assert run(["tasks", "reply", "13900000001", f"{NUMBER} 已处理", "--dry-run", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["text"] == f"{NUMBER} 已处理"
    assert "13900000001" not in said.out + said.err
    assert "would send 1 commands" in said.err


def archived(number: str, closed_at: int, *, duty: str, points: str) -> TaskView:
    made = RectifyOrder(at=AT, by="H1", text="已换模块", energy_kwh=Decimal("10.25"), errors=1)
    facts = AnomalyFacts(
        domain="计量", dept="营销", rectifications=(made,), duty_dept="营销", duty_person=duty,
        deducted_score=Decimal(points), refused=(Act(AT, "C1", "archive", "OUT_OF_ORDER"),),
    )  # fmt: skip
    return TaskView(
        number=number, kind="anomaly", state="ARCHIVED", version=9, updated_at=AT, org_no="3340101", rule="A02",
        created_at=AT, closed_at=closed_at, acts=(Act(AT, "C1", "SCREENED"),), anomaly=facts,
    )  # fmt: skip


@pytest.fixture
def anomalies(tmp_path: Path, store: None) -> None:
    store_again = Store(f"sqlite:///{tmp_path}/stagewatch.db")
    month_later = AT + 31 * 86_400_000
    every = [
        archived("A3340101-1", AT, duty="D1", points="1.5"), archived("A3340101-2", AT, duty="D1", points="0.5"),
        archived("A3340101-3", month_later, duty="D2", points="3"),
    ]  # fmt: skip
    store_again.write(StoreBatch(tasks=[TaskRow(task=task, position=9 + n) for n, task in enumerate(every)]))
    store_again.close()


@pytest.mark.usefixtures("anomalies")
def test_totals_sum_points_and_effect_of_a_persons_period(capsys: Said) -> None:
    assert run(["tasks", "totals", "--period", "2026-06", "--by", "person", "-o", "json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {name: first[name] for name in ("of", "evaluated", "points", "energy_kwh", "errors")} == {
        "of": "D1", "evaluated": 2, "points": "2.0", "energy_kwh": "20.50", "errors": 2,
    }  # fmt: skip
    assert (second["of"], second["evaluated"], second["points"]) == ("D2", 0, "0")


@pytest.mark.usefixtures("anomalies")
def test_an_anomaly_is_shown_with_what_was_refused(capsys: Said) -> None:
    assert run(["tasks", "show", "A3340101-1", "-o", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)["anomaly"]
    assert facts["refused"] == [
        {"at": "2026-06-23T02:00:00.000Z", "by": "C1", "what": "archive", "note": "OUT_OF_ORDER"}
    ]
    assert facts["rectifications"][0]["energy_kwh"] == "10.25"


def test_a_period_that_is_none_says_how_they_are_written(capsys: Said) -> None:
    assert run(["tasks", "totals", "--period", "March"]) == 2
    assert "2026-03" in capsys.readouterr().err


def test_a_rectification_is_shown_before_it_is_sent(capsys: Said) -> None:
    arguments = [
        "commands",
        "send",
        "rectify",
        "WA1-0",
        "--by",
        "H1",
        "--text",
        "已换",
        "--energy",
        "1.50",
        "--errors",
        "2",
    ]
    assert run([*arguments, "--dry-run", "-o", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["energy_kwh"], said["errors"]) == ("rectify", "1.50", 2)
