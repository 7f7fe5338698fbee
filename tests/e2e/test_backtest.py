"""Backtest, explain and travel over the topics of a running system: they say what the worker said."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rules import SHIPPED
from schemas import AlertEvent, decode_alert
from tests.helpers.brokers import Broker, running_kafka
from tests.helpers.capture import capture, committed_values, feed, replayed, wait_for_alerts
from tests.helpers.requirements import needs
from tests.helpers.worker import STAGEWATCH, running_worker

JUDGED_WITHIN_S = 90
JOBS = 2


@contextmanager
def broker_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Give URL and bootstrap of a broker for this test alone, or of the embedded one."""
    if kind == "kafka":
        with needs("kafka"), running_kafka(folder) as kafka:
            yield kafka.url, kafka.bootstrap
    else:
        tansu: Broker = request.getfixturevalue("tansu")
        yield tansu.url, tansu.bootstrap


class Asked:
    """The commands, on one broker and with the store of its worker."""

    def __init__(self, broker: str, data_dir: Path) -> None:
        self._environment = {"STAGEWATCH_BROKER": broker, "STAGEWATCH_DATA_DIR": str(data_dir), "PATH": "/usr/bin:/bin"}

    def __call__(self, *arguments: object) -> list[dict[str, Any]]:
        command = [str(STAGEWATCH), *map(str, arguments), "-o", "json"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=200, check=False, env=self._environment
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["kafka", "tansu"])
def test_they_say_what_the_worker_said(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with broker_of(kind, tmp_path, request) as (url, bootstrap):
        feed(bootstrap, capture())
        expected = replayed(capture())
        with running_worker(url, tmp_path) as worker:
            wait_for_alerts(bootstrap, len(expected), JUDGED_WITHIN_S)
        published = list(map(decode_alert, committed_values(bootstrap, "stagewatch.alerts")))
        raised = {alert.alert_id: alert for alert in published if alert.event == "raised"}
        assert len(raised) == len({fired.alert_id for fired in expected})
        asked = Asked(url, worker.data_dir)
        check_backtest(asked, raised, tmp_path)
        alert = next(each for each in raised.values() if each.rule == "R-T03")
        check_history(asked, [each for each in published if each.instance == alert.instance], alert.instance)
        check_explanation(asked, alert)


def check_backtest(asked: Asked, raised: dict[str, AlertEvent], folder: Path) -> None:
    """Of the running version: what the worker raised. Of a changed one: the same alerts but for one rule."""
    defaults = SHIPPED / "limits" / "default.yaml"
    (same,) = asked("rules", "backtest", defaults, "--to", "now", "--jobs", JOBS)
    assert same["alerts"]["same"] == same["alerts"]["running"] == len(raised)
    counted = {row["rule"]: row["running"] for row in same["by_rule"]}
    assert counted == {rule: sum(a.rule == rule for a in raised.values()) for rule in {a.rule for a in raised.values()}}
    tightened = folder / "limits.yaml"
    text = defaults.read_text(encoding="utf-8")
    tightened.write_text(text.replace("SURVEY, limit: 5wd", "SURVEY, limit: 3wd"), encoding="utf-8")
    (report,) = asked("rules", "backtest", tightened, "--to", "now", "--jobs", JOBS)
    differing = {row["rule"] for row in report["by_rule"] if row["same"] != row["running"] or row["raised"]}
    assert differing == {"R-T03"}
    assert (report["alerts"]["spared"], report["alerts"]["later"]) == (0, 0)
    assert report["alerts"]["earlier"] > 0


def check_history(asked: Asked, published: list[AlertEvent], key: str) -> None:
    """The alerts of a life are those that the worker wrote, and the worker's store has the state it ends with."""
    entries = asked("instances", "history", key)
    alerts = [entry for entry in entries if entry["kind"] == "alert"]
    assert {(e["alert_id"], e["event"]) for e in alerts} == {(a.alert_id, a.event) for a in published}
    assert [entry for entry in alerts if not entry["published"]] == []
    (stored,), (walked,) = asked("instances", "get", key), asked("instances", "get", key, "--at", "now")
    assert walked == stored


def check_explanation(asked: Asked, alert: AlertEvent) -> None:
    (document,) = asked("alerts", "explain", alert.alert_id)
    assert document["note"] is None
    assert document["alert"]["text"] == alert.text
    assert document["deadline"]["days"][0]["why"] == "entry"
    assert document["evidence"][0]["fields"]["app_no"] == alert.instance
    assert document["events"][0]["event"] == "raised"
    assert {each["state"] for each in document["told"]} <= {None}, "a first run over history tells nobody"
