"""S2-02: issue of a bill yields M03 once; overdue yields M08; payment stops further dunning."""

from tests.helpers.customers import bill, customer, payment, quiet_for, texts_until
from tests.helpers.whole_system import WholeSystem, ago

ISSUED = "尊敬的丁一，您2026年2月用电160千瓦时，电费86.50元。"


def test_s2_02_issue_of_a_bill_yields_m03_once(system: WholeSystem) -> None:
    customer(system, "S202-issue", "13922020001")
    bill(system, "S202-issue", issued_at=None)
    bill(system, "S202-issue")
    bill(system, "S202-issue", audit_state="passed")
    texts_until(system, "13922020001", ISSUED)
    assert quiet_for(system, "13922020001") == [f"【国网电力】{ISSUED}"]


def test_s2_02_overdue_yields_m08_when_the_time_comes(system: WholeSystem) -> None:
    customer(system, "S202-late", "13922020002")
    bill(system, "S202-late", issued_at=ago(days=40), due_at=ago(seconds=-3))
    texts_until(system, "13922020002", "您欠费86.50元，已逾期1天")
    said = quiet_for(system, "13922020002")
    assert len([text for text in said if "欠费" in text]) == 1


def test_s2_02_payment_stops_further_dunning(system: WholeSystem) -> None:
    customer(system, "S202-paid", "13922020003")
    bill(system, "S202-paid", issued_at=ago(days=40), due_at=ago(seconds=-4))
    payment(system, "S202-paid")
    customer(system, "S202-owing", "13922020004")
    bill(system, "S202-owing", issued_at=ago(days=40), due_at=ago(seconds=-4))
    texts_until(system, "13922020004", "您欠费")  # the same moment has come for both
    said = quiet_for(system, "13922020003")
    assert [text for text in said if "欠费" in text] == []
    assert len([text for text in said if "交费成功" in text]) == 1
