"""Replay says which reports would be mailed, at the times at which a worker lets them go."""

import json
from collections.abc import Mapping

from schemas import Recorded, epoch_ms
from tests.helpers.replaying import replayed


def record(offset: int, topic: str, at: str, row: Mapping[str, object]) -> Recorded:
    value = {"op": "c", "before": None, "after": row, "source": {"lsn": offset}}
    return Recorded(
        topic=topic, partition=0, offset=offset, timestamp=epoch_ms(at), key=None, value=json.dumps(value).encode(),
        headers={},
    )  # fmt: skip


def test_reports_of_the_time_gone_through_are_among_what_would_be_sent() -> None:
    boss = {
        "stakeholder_id": "S1",
        "org_no": "33401",
        "role": "management",
        "person_no": "P1",
        "mail": "p1@example.com",
    }
    app = {"app_no": "A1", "org_no": "33401", "accepted_at": "2026-03-03T01:00:00Z"}
    replay = replayed(
        [
            record(1, "cdc.mkt.stakeholder", "2026-02-26T09:00+08:00", boss),
            record(2, "cdc.mkt.mkt_app", "2026-02-27T09:00+08:00", app),
            record(3, "cdc.mkt.mkt_app", "2026-03-02T07:59+08:00", app),
        ],
        epoch_ms("2026-03-09T08:00+08:00"),
    )
    found = [each for each in replay.notifications() if each["recipient"] == "P1"]
    assert [(each["rule"], each["at"], each["address"]) for each in found] == [
        ("management_month", "2026-03-01T00:00:00.000Z", "p1@example.com"),
        ("open_anomalies", "2026-03-02T00:00:00.000Z", "p1@example.com"),
        ("open_anomalies", "2026-03-09T00:00:00.000Z", "p1@example.com"),
    ]
    assert found[0]["text"] == "业扩报装分析月报 33401 2026-02"
