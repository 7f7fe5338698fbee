"""Several workers, one PostgreSQL store: any of them answers for all."""

import json
import subprocess
import time
from pathlib import Path

from bench.kafka_server import KafkaServer
from tests.helpers.capture import capture, feed, replayed, wait_for_alerts
from tests.helpers.postgres import Postgres
from tests.helpers.worker import STAGEWATCH, running_worker

PATIENCE_S = 90.0


def _listed(store: str) -> list[dict[str, object]]:
    command = ["env", f"STAGEWATCH_STORE={store}", str(STAGEWATCH), "alerts", "list", "--limit", "100000", "-o", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_two_workers_with_one_postgresql_store_list_every_alert(
    own_kafka: KafkaServer, postgres: Postgres, tmp_path: Path
) -> None:
    feed(own_kafka.bootstrap, capture())
    expected = replayed(capture())
    with (
        postgres.database() as store,
        running_worker(own_kafka.url, tmp_path, store=store.url),
        running_worker(own_kafka.url, tmp_path, store=store.url),
    ):
        wait_for_alerts(own_kafka.bootstrap, len(expected), PATIENCE_S)
        ids = {alert.alert_id for alert in expected}
        deadline = time.monotonic() + PATIENCE_S
        while {str(alert["alert_id"]) for alert in _listed(store.url)} != ids:
            assert time.monotonic() < deadline, "the store does not come to show every alert"
            time.sleep(0.5)
