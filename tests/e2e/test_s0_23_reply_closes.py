"""S0-23: the number of a task, texted from the manager's mobile, closes it once; nothing else does."""

from tests.helpers.tasks import late_application, manager, wait_for_sms, wait_for_task
from tests.helpers.whole_system import WholeSystem

OWN, OTHER = "13923000001", "13923000002"


def test_s0_23_number_from_the_own_mobile_closes_once_and_nothing_else_closes(system: WholeSystem) -> None:
    manager(system, "TG-S023", "M-S023", OWN)
    late_application(system, "S023-1", "TG-S023")
    number = wait_for_task(system, "S023-1", lambda task: task["state"] == "DELIVERED")["number"]
    assert "S023-1" in wait_for_sms(system, OWN, f"办结回{number}"), "the message itself says what to answer with"

    system.done("tasks", "reply", OTHER, number)
    wait_for_sms(system, OTHER, "不是发给本号码的")
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    system.done("tasks", "reply", OWN, wrong)
    wait_for_sms(system, OWN, f"未找到督办号{wrong}")
    assert wait_for_task(system, "S023-1")["state"] == "DELIVERED"

    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in number)
    system.done("tasks", "reply", OWN, f" {full_width} 已处理【王五】")
    closed = wait_for_task(system, "S023-1", lambda task: task["state"] == "CLOSED")
    assert (closed["remark"], closed["is_overdue"]) == ("已处理", False)
    wait_for_sms(system, OWN, f"督办{number}已办结")

    system.done("tasks", "reply", OWN, number)
    wait_for_sms(system, OWN, f"督办{number}此前已办结")
    again = wait_for_task(system, "S023-1")
    assert [act["what"] for act in again["acts"]].count("CLOSED") == 1
    (alert,) = [
        each
        for each in system.ask("alerts", "list", "--instance", "S023-1", "--rule", "R-T04")
        if each["severity"] == "ALARM"
    ]
    assert (alert["event"], alert["person"]) == ("closed", "M-S023")
