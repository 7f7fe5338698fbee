"""S0-21: who has the task follows the district, and how they are told; a change counts for the next task only."""

from tests.helpers.tasks import late_application, manager, wait_for_task
from tests.helpers.whole_system import WholeSystem


def test_s0_21_task_goes_to_the_districts_manager_by_the_districts_method(system: WholeSystem) -> None:
    manager(system, "TG-S021A", "M-S021A", "13921000001", "sms")
    manager(system, "TG-S021B", "M-S021B", "13921000002", "online")
    late_application(system, "S021-1", "TG-S021A")
    late_application(system, "S021-2", "TG-S021B")
    tasks = [wait_for_task(system, key) for key in ("S021-1", "S021-2")]
    assert [(task["person_no"], task["method"]) for task in tasks] == [("M-S021A", "sms"), ("M-S021B", "mail")]


def test_s0_21_change_of_the_table_counts_for_the_next_task_only(system: WholeSystem) -> None:
    manager(system, "TG-S021C", "M-S021C", "13921000003")
    late_application(system, "S021-3", "TG-S021C")
    wait_for_task(system, "S021-3")
    manager(system, "TG-S021C", "M-S021D", "13921000004")
    late_application(system, "S021-4", "TG-S021C")
    tasks = [wait_for_task(system, key) for key in ("S021-4", "S021-3")]
    assert [task["person_no"] for task in tasks] == ["M-S021D", "M-S021C"]


def test_s0_21_missing_manager_is_a_task_that_nobody_could_be_found_for(system: WholeSystem) -> None:
    late_application(system, "S021-5", None)
    task = wait_for_task(system, "S021-5")
    assert (task["state"], task["method"], task["org_no"]) == ("UNROUTABLE", "none", "3349909")
