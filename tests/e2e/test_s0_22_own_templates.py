"""S0-22: a unit words its messages itself, by a worker on real Kafka; its sibling's stay as they are, until a reset."""

import json
import time
from pathlib import Path

from tests.helpers.requirements import needs
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, ago, example, whole_system

TOPICS = ["cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress", "cdc.mkt.customer_manager"]
UNIT, TEAM, SIBLING = "3340102", "334010203", "3340101"
OWN = """version: templates/v1
id: own_3340102
org: "3340102"
templates:
  stage_late: "【江山供电】{instance}的{stage}{verdict}，请于{due}前办结。"
tests:
  - name: one short message
    template: stage_late
    given: {instance: "332600000010", stage: 现场勘查, verdict: 已超期, due: 3月9日24时}
    max_length: 70
"""


def told_of(system: WholeSystem, org_no: str, number: int) -> str:
    """Let an application of a unit be late with its survey; give what its manager's phone says then."""
    name, mobile = f"{org_no}-{number}", f"138{number:02}{org_no[-6:]}"
    manager = example("mkt", "customer_manager", mgr_no=name, mobile=mobile, org_no=org_no)
    app = example(
        "mkt", "mkt_app", app_no=name, mgr_no=name, org_no=org_no, tg_no=None, line_no=None, subs_no=None,
        parent_app_no=None, archived_at=None, status_code="running", accepted_at=ago(days=40),
    )  # fmt: skip
    visit = example(
        "mkt", "mkt_app_progress", progress_id=abs(hash(name)) % 10**9, app_no=name, stage_code="SURVEY", visit_no=1,
        entered_at=ago(days=40), finished_at=None,
    )  # fmt: skip
    for table, row in (("customer_manager", manager), ("mkt_app", app), ("mkt_app_progress", visit)):
        system.capture("mkt", table, row)
    deadline = time.monotonic() + PATIENCE_S
    late = "现场勘查已超期"  # the manager is told of other things, too
    while not (texts := [each.text for each in system.sms.received if each.mobile == mobile and late in each.text]):
        assert time.monotonic() < deadline, system.worker.log_tail()
        time.sleep(0.2)
    return texts[0]


def test_s0_22_own_copy_changes_a_units_messages_and_not_its_siblings_and_a_reset_takes_it_back(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN, encoding="utf-8")
    with needs("kafka"), whole_system(tmp_path, TOPICS) as system:
        assert told_of(system, UNIT, 1).startswith("【业扩管控】")

        (shown,) = system.ask("templates", "preview", str(own))
        assert (shown["unit"], shown["parts"]) == (UNIT, 1)
        system.done("rules", "apply", str(own), "--wait", "90")
        assert told_of(system, UNIT, 2).startswith(f"【江山供电】{UNIT}-2的现场勘查")
        assert told_of(system, TEAM, 2).startswith("【江山供电】")
        assert told_of(system, SIBLING, 2).startswith("【业扩管控】")
        assert json.loads(system.done("templates", "show", "stage_late", "--org", TEAM, "-o", "json"))["unit"] == UNIT

        system.done("rules", "apply", "--wait", "90")  # the folders' set, which has no copy of the unit's
        assert told_of(system, UNIT, 3).startswith("【业扩管控】")
        assert json.loads(system.done("templates", "show", "stage_late", "--org", UNIT, "-o", "json"))["copies"] == ""
