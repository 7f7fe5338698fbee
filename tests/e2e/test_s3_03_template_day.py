"""S3-03: a monthly template with day 5 runs on day 5 only, and a changed threshold alters the next run.

A worker on real Kafka reads some months of accepted applications with the times at which they came; then the template
is changed while it runs, so that the next run is at once and by another value.
"""

import subprocess
from datetime import date, datetime
from pathlib import Path

from bench.kafka_server import KafkaServer
from rules import SHIPPED
from tests.helpers.brokers import make_topics
from tests.helpers.past import ZONE, Past, alerts_of, at, days_ago, today, wait_for
from tests.helpers.worker import STAGEWATCH, running_worker

APP = "cdc.mkt.mkt_app"
ORG = "3340101"
TEMPLATE = """\
version: cascade/v1
id: county
title: 受理量模板
org: "3340101"
execution: EXECUTION
thresholds:
  - {indicator: I111, severity: ALARM, operator: gt, value: VALUE, unit: 户}
tests:
  - name: one application is not too many
    application: {volt_class: HV, accepted_at: "2026-03-02T09:00+08:00", org_no: "3340101"}
    until: "2026-05-31T10:00+08:00"
    only: [X-I111]
    raised: []
"""
ACCEPTED = (2, 4, 2, 5)
"""Applications by month, the oldest first; the limit is 3."""


def months_ago(count: int) -> date:
    """Give the first day of the month so long ago."""
    month = today().year * 12 + today().month - 1 - count
    return date(month // 12, month % 12 + 1, 1)


def template(folder: Path, execution: str, value: str) -> Path:
    path = folder / f"county-{value}.yaml"
    path.write_text(TEMPLATE.replace("VALUE", value).replace("EXECUTION", execution), encoding="utf-8")
    return path


def accept(past: Past, day: date, count: int, came: int | None) -> None:
    """Write applications that were accepted on a day."""
    for number in range(count):
        app = {"app_no": f"A{day:%y%m%d}{number}", "org_no": ORG, "volt_class": "HV", "status_code": "running"}
        past.row(APP, {**app, "accepted_at": f"{day}T00:00:01+08:00"}, came)


def test_s3_03_a_monthly_template_runs_on_its_day_and_a_changed_threshold_alters_the_next_run(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    bootstrap, url = own_kafka.bootstrap, own_kafka.url
    make_topics(bootstrap, [APP], partitions=2)
    monthly = template(tmp_path, '{frequency: monthly, day: 5, at: "07:30"}', "3")
    past = Past(bootstrap)
    for number, count in enumerate(ACCEPTED):
        day = months_ago(5 - number).replace(day=20)
        accept(past, day, count, at(day, "10:00"))
    accept(past, today(), 2, None)
    past.flush()
    past.close()
    folders = f"{SHIPPED}:{monthly}"
    with running_worker(url, tmp_path, definitions=folders):
        wait_for(lambda: len(alerts_of(bootstrap, "X-I111")) >= 2)
        found = alerts_of(bootstrap, "X-I111")
        runs = [(a.instance, datetime.fromtimestamp(a.raised_at / 1000, ZONE)) for a in found]
        assert [(instance, f"{run:%Y-%m-%d %H:%M}") for instance, run in sorted(runs)] == [
            (f"org:{ORG}:{months_ago(4):%Y-%m}", f"{months_ago(3):%Y-%m}-05 07:30"),
            (f"org:{ORG}:{months_ago(2):%Y-%m}", f"{months_ago(1):%Y-%m}-05 07:30"),
        ], "on day 5 only, of the month before"
        at_once = template(tmp_path, "{frequency: realtime}", "1")
        variables = [f"STAGEWATCH_BROKER={url}", f"STAGEWATCH_DEFINITIONS={folders}"]
        applied = subprocess.run(
            ["env", *variables, str(STAGEWATCH), "rules", "apply", str(at_once), "--wait", "90"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert applied.returncode == 0, applied.stderr
        wait_for(lambda: len(alerts_of(bootstrap, "X-I111")) > len(found))
        news = alerts_of(bootstrap, "X-I111")[len(found) :]
    assert [(a.event, a.instance) for a in news] == [("raised", f"org:{ORG}:{today()}")], "two are above one"
    assert news[0].raised_at > at(days_ago(1), "23:59"), "what was judged before stands"
