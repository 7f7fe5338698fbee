"""S3-06: of six alarms one is dismissed with a reason; five, of two departments, give two packages and two notices."""

from tests.helpers.control import ANALYST, anomalies, do, packages, person, silent_terminal
from tests.helpers.tasks import wait_for_sms
from tests.helpers.whole_system import WholeSystem

UNIT, OPERATION, MARKETING = "3349936", "13936000001", "13936000002"


def test_s3_06_one_is_dismissed_and_five_go_in_two_packages_with_two_notices(system: WholeSystem) -> None:
    person(system, UNIT, "运检", "D-S306A", OPERATION)
    person(system, UNIT, "营销", "D-S306B", MARKETING)
    instances = [silent_terminal(system, f"S306-{n}", UNIT) for n in range(6)]
    raised = anomalies(system, instances, "RAISED")
    numbers = [str(each["number"]) for each in raised]

    do(system, "package", *numbers, by=ANALYST)
    do(system, "dismiss", numbers[0], by=ANALYST, text="终端已退运")
    do(system, "confirm", *numbers[1:4], by=ANALYST)
    do(system, "confirm", *numbers[4:], by=ANALYST, dept="营销")
    (dismissed,) = anomalies(system, instances[:1], "ARCHIVED")
    confirmed = anomalies(system, instances[1:], "SCREENED")
    assert dismissed["anomaly"]["is_dismissed"]
    assert [(act["what"], act["note"]) for act in dismissed["acts"][1:]] == [
        ("DISMISSED", "终端已退运"), ("ARCHIVED", "终端已退运")
    ]  # fmt: skip
    refused = [act["note"] for each in confirmed for act in each["anomaly"]["refused"]]
    assert refused == ["OUT_OF_ORDER"] * 5

    do(system, "package", *numbers[1:], by=ANALYST)
    operation, marketing = sorted(packages(system, UNIT, "OPEN", of=5), key=lambda each: -len(each["acts"]))
    assert (operation["text"], marketing["text"]) == ("运检：3件异常", "营销：2件异常")
    do(system, "dispatch", operation["number"], marketing["number"], by=ANALYST)
    anomalies(system, instances[1:], "DISPATCHED")
    wait_for_sms(system, OPERATION, f"3件异常已下发运检，请现场核查整改。管控包{operation['number']}")
    wait_for_sms(system, MARKETING, f"2件异常已下发营销，请现场核查整改。管控包{marketing['number']}")
    told = [sms.mobile for sms in system.sms.received if sms.mobile in {OPERATION, MARKETING}]
    assert sorted(told) == [OPERATION, MARKETING]
    assert {each["person_no"] for each in packages(system, UNIT, "DISPATCHED", of=5)} == {"D-S306A", "D-S306B"}
