"""`notifications cancel|retry|audit`: what is meant, and what is refused before anything is written."""

import json
from pathlib import Path

import pytest

from sinks import Delivered, Outbox, OutboxPolicy, Outcome, Refused, Unknown, message_id
from sinks.store import Store, StoreBatch
from stagewatch.__main__ import run
from tests.helpers.bounced import OUT_OF_OFFICE, POSTFIX, bounced
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


def test_an_audit_that_finds_something_fails(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAGEWATCH_BROKER")  # nothing was published: what is in effect are the folders
    assert run(["notifications", "audit", "--at", "2026-03-09", "-o", "json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["kind"], each["alert"]) for each in found] == [("stuck", "queued")]


def told_of(tmp_path: Path, msg_id: str, form: str = POSTFIX) -> str:
    """Give a file with what came back about a message."""
    file = tmp_path / "back.eml"
    file.write_bytes(bounced(form, msg_id))
    return str(file)


def test_a_mail_that_came_back_shows_what_it_stood_for(tmp_path: Path, capsys: Said) -> None:
    file = told_of(tmp_path, message_id([notice("delivered").key]))
    assert run(["notifications", "bounce", file, "--dry-run", "-o", "json"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["state"], row["notifications"]) == ("refuse", 1)
    assert row["reason"].startswith("the mail came back: 5.1.1")


@pytest.mark.parametrize(
    ("msg_id", "form", "said"),
    [("0" * 32, POSTFIX, "no notification left as message"), ("0" * 32, OUT_OF_OFFICE, "no delivery status")],
)
def test_a_mail_that_says_nothing_of_ours_is_refused_with_its_file(
    msg_id: str, form: str, said: str, tmp_path: Path, capsys: Said
) -> None:
    assert run(["notifications", "bounce", told_of(tmp_path, msg_id, form)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "back.eml" in error


def test_costs_count_what_carriers_took_by_unit_in_parts_and_nothing_that_never_left(
    tmp_path: Path, capsys: Said
) -> None:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms", "mail"}), mail_digest_s=0, group_wait_s=0))
    outcomes: dict[str, Outcome] = {
        "long": Delivered("mobile:a,b,c"), "http": Delivered("other:1"), "bounced": Delivered("q"),
        "unknown2": Unknown("silence"), "refused2": Refused("no"), "mail": Delivered("q"), "g1": Delivered("mobile:d"),
    }  # fmt: skip
    for alert in outcomes:
        channel = "mail" if alert in {"mail", "bounced"} else "sms"
        text = "字" * 71 if alert == "http" else "短"
        group = "g" if alert == "g1" else None
        outbox.add(notice(alert, channel=channel, text=text, group=group, org_no="33402"), NOW)
    outbox.add(notice("g2", group="g", org_no="33403"), NOW)
    for message in outbox.due(NOW):
        outbox.settle(message, outcomes[message.notices[0].alert_id], NOW)
    store = Store(f"sqlite:///{tmp_path}/stagewatch.db")
    store.write(StoreBatch(notifications=outbox.notifications()))
    store.close()
    span = ["--since", "2026-03-02", "--until", "2026-03-02"]
    assert run(["notifications", "costs", *span, "--price", "0.05", "-o", "json"]) == 0
    found = {row.pop("unit"): row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found == {
        "33401": {"sms": 2, "parts": 2, "unknown": 1, "mails": 0, "cost": 0.1},
        "33402": {"sms": 4, "parts": 7, "unknown": 1, "mails": 1, "cost": 0.35},
    }
    assert run(["notifications", "costs", "--until", "2026-03-01", "-o", "json"]) == 0
    assert capsys.readouterr().out == ""


def test_a_message_that_was_gathered_over_midnight_costs_once(tmp_path: Path) -> None:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"}), gather_s=60))
    outbox.add(notice("a1", text="甲"), NOW)
    outbox.add(notice("a2", text="乙"), NOW + 40_000)
    (message,) = outbox.due(NOW + 60_000)
    outbox.settle(message, Delivered("r"), NOW + 60_000)
    store = Store(f"sqlite:///{tmp_path}/gathered.db")
    store.write(StoreBatch(notifications=outbox.notifications()))
    midnight = NOW + 20_000
    assert [each.sms for each in store.costs(NOW, midnight)] == [1]
    assert store.costs(midnight, NOW + 86_400_000) == []
    store.close()
