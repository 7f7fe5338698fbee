"""S0-05: the rule book changed under running workers on real Kafka, and taken back, without a restart."""

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from rules import SHIPPED, Choice, Ledger, Manifest, proposed, read_definitions, texts_of
from schemas import AlertEvent, decode_alert
from stagewatch.rule_book import Publisher, Refused, read_ledger
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import make_topics
from tests.helpers.capture import committed_values
from tests.helpers.figures import hold
from tests.helpers.worker import STAGEWATCH, running_worker

APP, PROGRESS = "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress"
APPLICATIONS = 400
PARTITIONS = 4
SWITCHED_S = 5.0


def cli(broker: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    return subprocess.run(
        ["env", f"STAGEWATCH_BROKER={broker}", str(STAGEWATCH), *arguments],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def limit_file(folder: Path, survey: str) -> Path:
    """Give the shipped limits with another one for the survey."""
    text = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8")
    changed, count = re.subn(r"(stage: SURVEY,( given: \{\},)? limit: )5wd", rf"\g<1>{survey}", text)
    assert count == 2, "the row and its own test"
    path = folder / f"survey-{survey}.yaml"
    path.write_text(changed, encoding="utf-8")
    return path


def surveys(bootstrap: str, first: int, count: int) -> None:
    """Write applications whose survey began a day ago: due in four workdays or more."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    entered = (datetime.now(UTC) - timedelta(hours=26)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for number in range(first, first + count):
        app_no = f"A{number:05}"
        row = {"app_no": app_no, "org_no": "3340101", "volt_class": "HV", "source_count": 1,
               "status_code": "running", "accepted_at": entered}  # fmt: skip
        producer.send(APP, key=json.dumps({"app_no": app_no}).encode(), value=_envelope(row, number))
        visit = {"progress_id": number, "app_no": app_no, "stage_code": "SURVEY", "visit_no": 1, "entered_at": entered}
        producer.send(PROGRESS, key=b'{"progress_id":%d}' % number, value=_envelope(visit, number))
    producer.flush()
    producer.close()


def _envelope(row: dict[str, Any], number: int) -> bytes:
    return json.dumps({"before": None, "after": row, "source": {"lsn": number + 1}, "op": "c", "ts_ms": 1}).encode()


def survey_alerts(bootstrap: str) -> list[AlertEvent]:
    found = [decode_alert(value) for value in committed_values(bootstrap, "stagewatch.alerts")]
    return [alert for alert in found if alert.rule == "R-T03"]


def wait_for(what: Callable[[], bool], patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def surveyed(bootstrap: str) -> int:
    """Count the applications whose survey the workers know of: the state comes in two parts, in any order."""
    latest = {r.key: r.value or b"" for r in read_topic(bootstrap, "stagewatch-track-changelog")}
    return sum(b"SURVEY" in state for state in latest.values())


def test_s0_05_a_limit_changed_while_workers_run_moves_running_stages_and_a_rollback_brings_them_back(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    bootstrap, url = own_kafka.bootstrap, own_kafka.url
    make_topics(bootstrap, [APP, PROGRESS], partitions=PARTITIONS)
    surveys(bootstrap, 0, APPLICATIONS)
    with running_worker(url, tmp_path) as one, running_worker(url, tmp_path) as two:
        wait_for(lambda: surveyed(bootstrap) >= APPLICATIONS)
        changed = limit_file(tmp_path, "0wd")
        impact = _impact(url, changed)
        assert impact["running"] == impact["touched"] == APPLICATIONS
        assert impact["raised"] == 2 * APPLICATIONS
        applied = cli(url, "rules", "apply", str(changed), "--wait", "90", "--note", "spring", "-o", "json")
        assert applied.returncode == 0, applied.stderr
        told = json.loads(applied.stdout.splitlines()[-1])
        assert told["partitions"] == list(range(PARTITIONS))
        hold("S0-05: the switch, s", told["seconds"], SWITCHED_S)
        found = survey_alerts(bootstrap)
        assert Counter(a.event for a in found) == {"raised": 2 * APPLICATIONS}
        assert {a.rule_version for a in found} == {2}
        again = cli(url, "rules", "apply", str(changed))
        assert "nothing to publish" in again.stderr
        surveys(bootstrap, APPLICATIONS, 1)
        wait_for(lambda: len(survey_alerts(bootstrap)) == 2 * APPLICATIONS + 2)
        back = cli(url, "rules", "apply", str(limit_file(tmp_path, "5wd")), "--wait", "90")
        assert back.returncode == 0, back.stderr
        assert Counter(a.event for a in survey_alerts(bootstrap))["cleared"] == 2 * APPLICATIONS + 2
        one.kill()
        forward = cli(url, "rules", "rollback", "--wait", "120")
        assert forward.returncode == 0, forward.stderr
        wait_for(lambda: Counter(a.event for a in survey_alerts(bootstrap))["reopened"] == 2 * APPLICATIONS + 2)
        assert "published rules" not in two.said
    with running_worker(url, tmp_path) as three:
        assert "judging by the published rules 3" in three.said


def _impact(url: str, changed: Path) -> dict[str, Any]:
    shown = cli(url, "rules", "diff", str(changed), "-o", "json")
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["changes"][0]["after"] == "0wd"
    impact: dict[str, Any] = document["impact"]
    return impact


def test_a_set_that_a_worker_cannot_load_is_withdrawn_and_what_was_in_effect_stays(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    make_topics(own_kafka.bootstrap, [APP, PROGRESS], partitions=1)
    with running_worker(own_kafka.url, tmp_path) as worker:
        assert cli(own_kafka.url, "rules", "apply").returncode == 0
        with Publisher(own_kafka.bootstrap, "stagewatch", 90, lambda _text: None) as publisher:
            manifest, texts = _unloadable(publisher.ledger)
            with pytest.raises(Refused, match="version"):
                publisher.publish(manifest, texts)
        ledger = read_ledger(own_kafka.bootstrap)
        assert ledger.current is not None
        assert ledger.current.serial == 1
        assert ledger.manifests[2].state == "withdrawn"
        surveys(own_kafka.bootstrap, 0, 1)
        wait_for(lambda: surveyed(own_kafka.bootstrap) > 0)
        assert "are refused" in worker.said


def _unloadable(ledger: Ledger) -> tuple[Manifest, list[Any]]:
    """Give a set of which one file is of a format that this version does not know, as a newer one would publish."""
    base = read_definitions([SHIPPED])
    manifest = proposed(ledger, base, base, Choice())
    texts = [
        msgspec.structs.replace(text, digest="new", text=text.text.replace("limits/v1", "limits/v2"))
        if text.id == "default"
        else text
        for text in texts_of(base, 2)
    ]
    return msgspec.structs.replace(
        manifest, definitions={**manifest.definitions, "limits/default": "new"}
    ), texts  # fmt: skip
