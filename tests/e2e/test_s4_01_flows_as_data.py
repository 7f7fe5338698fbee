"""S4-01: the 48 flows are data: they load, and a changed node counts for new orders while old ones end on theirs."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rules import SHIPPED, Process, read_definitions
from tests.helpers.requirements import needs
from tests.helpers.whole_system import PATIENCE_S, POLL_S, WholeSystem, example, whole_system

FLOW = SHIPPED / "processes" / "flows" / "f30_bill_reversal.yaml"
NODE, LIMIT, CHANGED = "code: APPLY", "limit: 2wd", "limit: 0wd"
YESTERDAY = timedelta(hours=26)
"""Past the end of its own day, and well before that of the second workday after it."""


def order(system: WholeSystem, wo_no: str) -> None:
    """Tell an order of F30 whose first node was reached yesterday."""
    reached = (datetime.now(UTC) - YESTERDAY).isoformat()
    row = example(
        "mkt", "mkt_wo", wo_no=wo_no, flow_code="F30", node_code="APPLY", app_no=None, created_at=reached,
        locked_by=None, locked_at=None, finished_at=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_wo", row)
    step = example("mkt", "mkt_wo_hist", wo_no=wo_no, seq=1, node_code="APPLY", action="arrive", acted_at=reached)
    system.capture("mkt", "mkt_wo_hist", step)
    system.wait_for(wo_no, lambda found: found["process"] == "f30_bill_reversal" and found["visits"])


def late(system: WholeSystem, wo_no: str) -> bool:
    return ("R-T22", "ALARM") in system.alerts(wo_no)


def changed_flow(folder: Path) -> Path:
    """Give the shipped flow with another limit for its first node."""
    lines = FLOW.read_text("utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines) if NODE in line and LIMIT in line]
    lines[number] = lines[number].replace(LIMIT, CHANGED)
    path = folder / FLOW.name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_s4_01_all_48_flows_load_with_stages_tests_and_ids_of_their_own() -> None:
    flows = [
        each for each in read_definitions([SHIPPED]).of(Process) if "work_order" in each.is_a and not each.abstract
    ]
    assert sorted(each.code for each in flows) == [f"F{number:02}" for number in range(1, 49)]
    assert len({each.id for each in flows}) == len(flows)
    assert all(each.stages and each.tests for each in flows)


def test_s4_01_changed_node_counts_for_new_orders_and_old_ones_end_on_theirs(tmp_path: Path) -> None:
    topics = ("cdc.mkt.mkt_wo", "cdc.mkt.mkt_wo_hist")
    with needs("kafka"), whole_system(tmp_path, topics) as system:
        order(system, "WO-OLD")
        system.done("rules", "apply", str(changed_flow(tmp_path)), "--wait", "90", "--note", "F30 is due on its day")
        order(system, "WO-NEW")
        deadline = time.monotonic() + PATIENCE_S
        while not late(system, "WO-NEW"):
            assert time.monotonic() < deadline, system.alerts("WO-NEW")
            time.sleep(POLL_S)
        order(system, "WO-OLD")
        assert not late(system, "WO-OLD")
        assert _walked(system, "WO-OLD") == [], system.ask("instances", "history", "WO-OLD")
        assert _walked(system, "WO-NEW") == [(2, True)]


def _walked(system: WholeSystem, wo_no: str) -> list[tuple[int, bool]]:
    """Give version, and whether it was published, of each alarm of R-T22 in an order's history."""
    entries = system.ask("instances", "history", wo_no)
    alarms = [each for each in entries if (each.get("rule"), each.get("severity")) == ("R-T22", "ALARM")]
    return [(each["rule_version"], each["published"]) for each in alarms if each["kind"] == "alert"]
