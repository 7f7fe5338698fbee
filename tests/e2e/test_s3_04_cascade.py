"""S3-04: a province's template judges every unit below; a city tightens its value, and loosening is refused."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.kafka_server import KafkaServer
from rules import SHIPPED
from tests.helpers.brokers import make_topics
from tests.helpers.past import Past, alerts_of, at, days_ago, wait_for
from tests.helpers.worker import STAGEWATCH, running_worker

APP, UNITS = "cdc.mkt.mkt_app", "cdc.ymd.ymd_org"
PROVINCE = """\
version: cascade/v1
id: province
title: 省公司受理量模板
org: "334"
lower: {may: tighten, fields: [value]}
execution: {frequency: daily, at: "00:05"}
thresholds:
  - {indicator: I111, severity: ALARM, operator: gt, value: 5, unit: 户}
tests:
  - name: one application is not too many
    application: {volt_class: HV, accepted_at: "2026-03-02T09:00+08:00", org_no: "3340101"}
    until: "2026-05-31T10:00+08:00"
    only: [X-I111]
    raised: []
"""
CITY = """\
version: cascade/v1
id: city
title: 市公司受理量模板
org: "33401"
thresholds:
  - {indicator: I111, severity: ALARM, operator: gt, value: VALUE, unit: 户}
tests:
  - name: one application is not too many
    application: {volt_class: HV, accepted_at: "2026-03-02T09:00+08:00", org_no: "3340101"}
    until: "2026-05-31T10:00+08:00"
    only: [X-I111]
    raised: []
"""
ACCEPTED = {"3340101": 3, "3340102": 2, "3340201": 3}
"""By county; with five in the first city, three in the second, the province has eight."""


def cli(broker: str, folders: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = [f"STAGEWATCH_BROKER={broker}", f"STAGEWATCH_DEFINITIONS={folders}"]
    return subprocess.run(
        ["env", *variables, str(STAGEWATCH), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def explained(broker: str, folders: str, org: str) -> list[dict[str, Any]]:
    shown = cli(broker, folders, "rules", "explain", "--org", org, "I111", "-o", "json")
    assert shown.returncode == 0, shown.stderr
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (rows[-1]["what"], rows[-1]["value"]) == ("I111 execution", "daily, at 00:05")
    return rows[:-1]


def test_s3_04_a_city_tightens_what_the_province_made_and_may_not_loosen_it(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    bootstrap, url, day = own_kafka.bootstrap, own_kafka.url, days_ago(2)
    make_topics(bootstrap, [APP, UNITS], partitions=2)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "province.yaml").write_text(PROVINCE, encoding="utf-8")
    city = tmp_path / "templates" / "city.yaml"
    city.write_text(CITY.replace("VALUE", "2"), encoding="utf-8")
    folders = f"{SHIPPED}:{tmp_path / 'templates'}"
    past = Past(bootstrap)
    chain = [("334", None), ("33401", "334"), ("33402", "334"), *((org, org[:5]) for org in ACCEPTED)]
    past.rows(UNITS, [{"org_no": org, "parent_org_no": above} for org, above in chain], at(days_ago(7), "09:00"))
    for org, count in ACCEPTED.items():
        for one in range(count):
            app = {"app_no": f"{org}-{one}", "org_no": org, "volt_class": "HV", "status_code": "running"}
            past.row(APP, {**app, "accepted_at": f"{day}T09:00:00+08:00"}, at(day, "10:00"))
    past.flush()
    past.close()
    with running_worker(url, tmp_path, definitions=folders) as worker:
        wait_for(lambda: len(alerts_of(bootstrap, "X-I111")) >= 3)
        found = {(a.event, a.instance): a.raised_at for a in alerts_of(bootstrap, "X-I111")}
        judged_at = at(day + timedelta(days=1), "00:05")
        # The city's 2 counts for it and its counties, the province's 5 for itself and elsewhere.
        wanted = ["334", "33401", "3340101"]
        assert found == {("raised", f"org:{org}:{day}"): judged_at for org in wanted}
        rows = explained(url, folders, "3340101")
        assert [(row["value"], row["counts"], row["from"], row["unit"]) for row in rows] == [
            ("gt 2户", True, "cascade/city", "33401"), ("gt 5户", False, "cascade/province", "334"),
        ]  # fmt: skip
        assert [(row["value"], row["counts"]) for row in explained(url, folders, "3340201")] == [("gt 5户", True)]
        looser = tmp_path / "looser.yaml"
        looser.write_text(CITY.replace("VALUE", "6"), encoding="utf-8")
        refused = cli(url, folders, "rules", "apply", str(looser))
        assert refused.returncode == 1
        assert "looser.yaml:6:" in refused.stderr
        assert "no stricter than gt 5户 of the unit above" in refused.stderr
        tighter = tmp_path / "tighter.yaml"
        tighter.write_text(CITY.replace("VALUE", "1"), encoding="utf-8")
        applied = cli(url, folders, "rules", "apply", str(tighter), "--wait", "90")
        assert applied.returncode == 0, applied.stderr
        assert explained(url, folders, "3340102")[0]["value"] == "gt 1户"
        assert "rules 1 are in effect" in worker.said
