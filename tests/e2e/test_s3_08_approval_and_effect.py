"""S3-08: what the leader rejects goes back, what they approve is archived; effect is the sum of what was put right."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.helpers.control import (
    ANALYST,
    HAND,
    LEADER,
    anomalies,
    archived,
    dispatched,
    do,
    person,
    rectified,
    silent_terminal,
)
from tests.helpers.tasks import wait_for_sms
from tests.helpers.whole_system import WholeSystem

UNIT, DEPARTMENT, LEADERS = "3349938", "13938000001", "13938000002"


def month() -> str:
    return datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")


def test_s3_08_rejected_goes_back_approved_is_archived_and_effect_is_the_sum(system: WholeSystem) -> None:
    person(system, UNIT, "运检", "D-S308", DEPARTMENT)
    person(system, UNIT, "leader", LEADER, LEADERS)
    instances = [silent_terminal(system, f"S308-{n}", UNIT) for n in range(2)]
    first, second = dispatched(system, instances, UNIT)
    wait_for_sms(system, DEPARTMENT, "2件异常已下发运检")

    rectified(system, first, energy="100.25", money="50.10")
    do(system, "forward", first["number"], by=ANALYST, to=LEADER)
    anomalies(system, instances[:1], "FORWARDED")
    wait_for_sms(system, LEADERS, f"异常{first['number']}已整改，请审批")
    do(system, "approve", first["number"], by=HAND)
    do(system, "reject", first["number"], by=LEADER, text="照片缺失")
    (back,) = anomalies(system, instances[:1], "CHECKING")
    assert [(act["by"], act["note"]) for act in back["anomaly"]["refused"]] == [(HAND, "OWN_WORK")]
    assert [act["what"] for act in back["acts"]][-2:] == ["REJECTED", "CHECKING"]

    do(system, "lock", first["anomaly"]["order"], by=HAND)
    do(system, "feed_back", first["anomaly"]["order"], by=HAND, text="已补拍照片")
    anomalies(system, instances[:1], "FED_BACK")
    do(system, "rectify", first["anomaly"]["order"], by=HAND, text="已换模块", energy="90.05", money="45.00")
    anomalies(system, instances[:1], "RECTIFIED")
    archived(system, first)
    rectified(system, second, energy="9.95", errors="3")
    archived(system, second)

    over = anomalies(system, instances, "ARCHIVED")
    orders = [made for each in over for made in each["anomaly"]["rectifications"]]
    assert [made["is_rejected"] for made in orders] == [True, False, False]
    standing = [made for made in orders if not made["is_rejected"]]
    (total,) = system.ask("tasks", "totals", "--period", month(), "--by", "org", "--org", UNIT)
    assert Decimal(total["energy_kwh"]) == sum(Decimal(made["energy_kwh"]) for made in standing) == Decimal("100.00")
    assert Decimal(total["money"]) == sum(Decimal(made["money"]) for made in standing) == Decimal("45.00")
    assert (total["errors"], total["evaluated"]) == (3, 2)
