"""A limit changed in the midst of a flow on real Kafka: every event judged once, by the rules of its time."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bench.change import change_under, tightened
from bench.kafka_server import KafkaServer
from bench.live import Flow
from bench.trial import trial_on
from schemas import AlertEvent, decode_alert
from stagewatch import Output
from tests.helpers.capture import committed_values
from tests.helpers.worker import STAGEWATCH

FLOW, WAITING = Flow(rate=200, seconds=6, least=500), 200
PARTITIONS = 4


def test_a_limit_changed_under_a_flow_loses_no_event_and_judges_none_twice(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    with trial_on(own_kafka.bootstrap, tmp_path, Output()) as trial:
        under = change_under(trial, FLOW, WAITING)
    assert under.faults == []
    assert (under.events, under.switch.partitions) == (FLOW.records, PARTITIONS)
    assert under.recount.after >= 2 * WAITING
    late = [alert for alert in _alerts(own_kafka) if (alert.rule, alert.rule_version) == ("R-T03", 2)]
    explained = _asked(own_kafka, tmp_path, "alerts", "explain", late[0].alert_id)
    assert (explained["note"], explained["deadline"]["limit"]) == (None, "0wd"), "by the limit that was published"
    report = _asked(own_kafka, tmp_path, "rules", "backtest", tightened(tmp_path), "--to", "now")
    (surveys,) = (row for row in report["by_rule"] if row["rule"] == "R-T03")
    assert surveys["running"] == surveys["same"] == under.recount.before + under.recount.after


def _alerts(kafka: KafkaServer) -> list[AlertEvent]:
    return [decode_alert(value) for value in committed_values(kafka.bootstrap, "stagewatch.alerts")]


def _asked(kafka: KafkaServer, folder: Path, *arguments: object) -> dict[str, Any]:
    """Give what a command says as JSON, asked as a user does."""
    command = [str(STAGEWATCH), *map(str, arguments), "-o", "json"]
    settings = {"STAGEWATCH_BROKER": kafka.url, "STAGEWATCH_DATA_DIR": str(folder)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env={**os.environ, **settings}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
