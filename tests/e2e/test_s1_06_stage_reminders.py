"""S1-06: entering a key stage sends the right text to each role once: the customer, the manager, other staff."""

from tests.helpers.customers import quiet_for, stakeholder, texts_until
from tests.helpers.tasks import manager
from tests.helpers.whole_system import WholeSystem, ago, example

CUSTOMER, MANAGER, WORKS_UNIT, OTHER = "13921060001", "13921060002", "13921060003", "13921060004"


def test_s1_06_entering_a_key_stage_tells_each_role_once(system: WholeSystem) -> None:
    manager(system, "TG-S106", "M-S106", MANAGER)
    stakeholder(system, "W-S106", WORKS_UNIT, app_no="S106-1", role="works_unit")
    stakeholder(system, "W-S106X", OTHER, app_no="S106-2", role="works_unit")
    app = example(
        "mkt", "mkt_app", app_no="S106-1", cons_no="S106-C", cust_mobile=CUSTOMER, tg_no="TG-S106", line_no=None,
        subs_no=None, volt_class="HV", accepted_at=ago(days=1), archived_at=None, status_code="running",
        parent_app_no=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app", app)
    visit = example(
        "mkt", "mkt_app_progress", progress_id="V-S106", app_no="S106-1", stage_code="COMPLETE", visit_no=1,
        entered_at=ago(seconds=2), finished_at=None, result_code=None, suspend_from=None, suspend_to=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app_progress", visit)
    system.capture("mkt", "mkt_app_progress", visit | {"remark": "again"}, op="u")
    for mobile in (CUSTOMER, MANAGER, WORKS_UNIT):
        texts_until(system, mobile, "竣工验收")
    assert quiet_for(system, CUSTOMER) == ["【国网电力】您的用电申请S106-1已进入竣工验收环节，下一步：装接接电。"]
    staff = "【业扩管控】申请S106-1已进入竣工验收环节，请营销、运检办理。"
    assert [text for text in quiet_for(system, MANAGER) if "已进入" in text] == [staff]
    assert quiet_for(system, WORKS_UNIT) == [staff]
    assert quiet_for(system, OTHER) == []
