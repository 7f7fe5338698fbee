"""S0-20: an archived anomaly carries duty department and person, and appears in that person's total of the period."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.helpers.control import anomalies, archived, dispatched, rectified, silent_terminal
from tests.helpers.whole_system import WholeSystem

UNIT, DUTY = "3349920", "D-S020"


def test_s0_20_archived_anomaly_is_in_the_total_of_whose_duty_it_was(system: WholeSystem) -> None:
    instances = [silent_terminal(system, f"S020-{n}", UNIT) for n in range(3)]
    sent = dispatched(system, instances, UNIT)
    for anomaly, points in zip(sent[:2], ("1.5", "0.5"), strict=True):
        rectified(system, anomaly)
        archived(system, anomaly, duty=DUTY, points=points)
    for anomaly in anomalies(system, instances[:2], "ARCHIVED"):
        facts = anomaly["anomaly"]
        assert (facts["duty_dept"], facts["duty_person"], facts["duty_reason"]) == ("运检", DUTY, "巡视不到位")
    month = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")
    (total,) = system.ask("tasks", "totals", "--period", month, "--by", "person", "--org", UNIT)
    assert (total["of"], total["evaluated"], total["points"]) == (DUTY, 2, "2.0")
    assert system.ask("tasks", "totals", "--period", "2020-01", "--by", "person", "--org", UNIT)[0]["evaluated"] == 0
