"""`notifications cancel|retry|audit`: what is meant, and what is refused before anything is written."""

import json
from pathlib import Path

import pytest

from sinks import Delivered, Outbox, OutboxPolicy, Outcome, Refused, Unknown
from sinks.store import Store, StoreBatch
from stagewatch.__main__ import run
from tests.helpers.notices import NOW, notice

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four notifications: refused, delivered, unknown and queued."""
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STAGEWATCH_BROKER", "kafka://127.0.0.1:9")
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"})))
    for alert in ("refused", "delivered", "unknown"):
        outbox.add(notice(alert), NOW)
    outcomes: dict[str, Outcome] = {
        "refused": Refused("no"),
        "delivered": Delivered("r"),
        "unknown": Unknown("silence"),
    }
    for message in outbox.due(NOW):
        outbox.settle(message, outcomes[message.notices[0].alert_id], NOW)
    outbox.add(notice("queued"), NOW)
    store = Store(f"sqlite:///{tmp_path}/stagewatch.db")
    store.write(StoreBatch(notifications=outbox.notifications()))
    store.close()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["cancel", "--instance", "APP-queued"], ["queued"]),
        (["cancel", notice("queued").key], ["queued"]),
        (["cancel", "--instance", "APP-delivered"], []),
        (["retry", "--alert", "refused"], ["refused"]),
        (["retry", "--alert", "unknown"], []),
        (["retry", "--alert", "unknown", "--even-unknown"], ["unknown"]),
    ],
)
def test_what_would_be_done_is_shown(arguments: list[str], meant: list[str], capsys: Said) -> None:
    assert run(["notifications", *arguments, "--by", "H001", "--dry-run", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["key"] for line in said.out.splitlines()] == [notice(alert).key for alert in meant]
    assert f"would {arguments[0]} {len(meant)}" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cancel"], 2, "either KEYS"),
        (["cancel", "k", "--alert", "a"], 2, "either KEYS"),
        (["cancel", notice("delivered").key], 1, "that is held or queued or retry"),
        (["retry", "nobody"], 1, "that is failed or refused"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], code: int, said: str, capsys: Said) -> None:
    assert run(["notifications", *arguments, "--by", "H001"]) == code
    assert said in capsys.readouterr().err


def test_an_audit_that_finds_something_fails(capsys: Said) -> None:
    assert run(["notifications", "audit", "--at", "2026-03-09", "-o", "json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["kind"], each["alert"]) for each in found] == [("stuck", "queued")]
