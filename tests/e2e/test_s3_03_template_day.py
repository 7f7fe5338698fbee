"""S3-03: a monthly template with day 5 runs on day 5 only, and a changed threshold alters the next run.

A worker on real Kafka reads half a year of accepted applications, with the times at which they came; the changed
template was published in the midst of it, so that the worker goes over to it at that moment of its own clock.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from rules import SHIPPED, Choice, encode_record, proposed, read_definitions, texts_of, with_files
from tests.helpers.brokers import make_topics
from tests.helpers.past import ZONE, Past, alerts_of, at, today, wait_for
from tests.helpers.worker import running_worker

APP, RULES = "cdc.mkt.mkt_app", "stagewatch.definitions"
ORG = "3340101"
TEMPLATE = """\
version: cascade/v1
id: province
title: 受理量模板
org: "334"
execution: {frequency: monthly, day: 5, at: "07:30"}
thresholds:
  - {indicator: I111, severity: ALARM, operator: gt, value: VALUE, unit: 户}
"""
ACCEPTED = (2, 4, 2, 4)
"""Applications by month, the oldest first; the limit is 3, and from the fourth month on 1."""


def months_ago(count: int) -> date:
    """Give the first day of the month so long ago."""
    first = today().replace(day=1)
    month = first.year * 12 + first.month - 1 - count
    return date(month // 12, month % 12 + 1, 1)


def template(folder: Path, value: str) -> Path:
    path = folder / f"province-{value}.yaml"
    path.write_text(TEMPLATE.replace("VALUE", value), encoding="utf-8")
    return path


def publish(bootstrap: str, before: Path, after: Path, came: int) -> None:
    """Write what `rules apply` writes, as of a moment that is over."""
    base = read_definitions([SHIPPED, before])
    changed = with_files(base, [after])
    assert not changed.faults
    manifest = msgspec.structs.replace(proposed(1, None, base, changed, Choice()), state="effective")
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    for record in [*texts_of(base, 1), *texts_of(changed, 1), manifest]:
        producer.send(RULES, key=record.key.encode(), value=encode_record(record), partition=0, timestamp_ms=came)
    producer.flush()
    producer.close()


def test_s3_03_a_monthly_template_runs_on_its_day_and_a_changed_threshold_alters_the_next_run(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    bootstrap = own_kafka.bootstrap
    make_topics(bootstrap, [APP], partitions=2)
    make_topics(bootstrap, [RULES])
    before = template(tmp_path, "3")
    past = Past(bootstrap)
    for number, count in enumerate(ACCEPTED):
        day = months_ago(5 - number).replace(day=20)
        for one in range(count):
            app = {"app_no": f"A{number}{one}", "org_no": ORG, "volt_class": "HV", "status_code": "running"}
            past.row(APP, {**app, "accepted_at": f"{day}T09:00:00+08:00"}, at(day, "10:00"))
    past.flush()
    past.close()
    publish(bootstrap, before, template(tmp_path, "1"), at(months_ago(3).replace(day=10), "00:00"))
    folders = f"{SHIPPED}:{before}"
    with running_worker(own_kafka.url, tmp_path, definitions=folders):
        wait_for(lambda: len(alerts_of(bootstrap, "X-I111")) >= 3)
        found = alerts_of(bootstrap, "X-I111")
    times = [datetime.fromtimestamp(alert.raised_at / 1000, ZONE) for alert in found]
    assert {(time.day, time.hour, time.minute) for time in times} == {(5, 7, 30)}, "on day 5 only"
    expected = [
        (f"org:{ORG}:{months_ago(4):%Y-%m}", months_ago(3)),  # 4 of 3
        (f"org:{ORG}:{months_ago(3):%Y-%m}", months_ago(2)),  # 2 of 1: changed between the two runs
        (f"org:{ORG}:{months_ago(2):%Y-%m}", months_ago(1)),
    ]
    unit = [(a.instance, t.date().replace(day=1)) for a, t in zip(found, times, strict=True) if a.org_no == ORG]
    assert sorted(unit) == expected
    assert f"org:{ORG}:{months_ago(5):%Y-%m}" not in {a.instance for a in found}, "2 are not above 3"
