"""S3-07: each dispatched item has a work order; feedback and rectification are stored with time and person."""

from tests.helpers.control import ANALYST, HAND, anomalies, dispatched, do, rectified, silent_terminal
from tests.helpers.whole_system import WholeSystem

UNIT = "3349937"


def test_s3_07_every_dispatched_item_has_an_order_with_feedback_and_rectification(system: WholeSystem) -> None:
    instances = [silent_terminal(system, f"S307-{n}", UNIT) for n in range(2)]
    sent = dispatched(system, instances, UNIT)
    orders = {each["number"]: each for each in system.ask("tasks", "list", "--kind", "order", "--limit", "1000")}
    assert [orders[each["anomaly"]["order"]]["parent"] for each in sent] == [each["number"] for each in sent]

    do(system, "rectify", sent[0]["anomaly"]["order"], by=HAND, text="未查先改")
    rectified(system, sent[0], energy="12.50", money="6.88", errors="1")
    (done,) = anomalies(system, instances[:1], "RECTIFIED")
    facts, acts = done["anomaly"], {act["what"]: act for act in done["acts"]}
    assert [(act["what"], act["note"]) for act in facts["refused"]] == [("rectify", "OUT_OF_ORDER")]
    assert facts["feedback"] == "现场已核：模块损坏"
    (made,) = facts["rectifications"]
    assert {name: made[name] for name in ("by", "text", "energy_kwh", "money", "errors")} == {
        "by": HAND, "text": "已换模块", "energy_kwh": "12.50", "money": "6.88", "errors": 1,
    }  # fmt: skip
    assert [acts[what]["by"] for what in ("CHECKING", "FED_BACK", "RECTIFIED")] == [HAND] * 3
    assert acts["DISPATCHED"]["by"] == ANALYST
    assert made["at"] == acts["RECTIFIED"]["at"] > acts["FED_BACK"]["at"] > acts["CHECKING"]["at"]
    (other,) = anomalies(system, instances[1:], "DISPATCHED")
    assert (other["anomaly"]["feedback"], other["anomaly"]["rectifications"]) == ("", [])
