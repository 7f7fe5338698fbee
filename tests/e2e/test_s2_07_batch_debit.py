"""S2-07: the bank's result file books successes and confirms them; failed rows go to dunning."""

from typing import Any

from tests.helpers.customers import AMOUNT, bill, customer, payment, quiet_for, texts_until
from tests.helpers.whole_system import WholeSystem, ago, example

PAID, FAILED = "13922070001", "13922070002"
BATCH = "BB-S207"


def item(system: WholeSystem, seq: int, cons_no: str, **changes: Any) -> None:
    row = example("bank", "bank_batch_item", batch_no=BATCH, seq=seq, cons_no=cons_no, amt=AMOUNT)
    system.capture("bank", "bank_batch_item", row | changes)


def test_s2_07_result_file_confirms_successes_and_dunns_failures(system: WholeSystem) -> None:
    for cons_no, mobile in (("S207-paid", PAID), ("S207-failed", FAILED)):
        customer(system, cons_no, mobile)
        bill(system, cons_no, issued_at=ago(days=40), due_at=ago(seconds=-8))
    batch = example("bank", "bank_batch", batch_no=BATCH, item_cnt=2, cut_at=ago(hours=5), result_at=None)
    system.capture("bank", "bank_batch", batch)
    item(system, 1, "S207-paid", result_code=None, done_at=None)
    item(system, 2, "S207-failed", result_code=None, done_at=None)
    item(system, 1, "S207-paid", result_code="00", done_at=ago(seconds=2))
    item(system, 2, "S207-failed", result_code="51", done_at=ago(seconds=2))
    system.capture("bank", "bank_batch", batch | {"result_at": ago(seconds=1)}, op="u")
    texts_until(system, FAILED, "请于")
    texts_until(system, FAILED, "您欠费86.50元，已逾期")  # the due time has come for both
    payment(system, "S207-paid", bank_batch_no=BATCH)  # the booking of what was confirmed
    said = quiet_for(system, PAID)
    assert ["通过银行代扣交费86.50元，交费成功" in text for text in said if "交费成功" in text] == [True]
    assert [text for text in said if "欠费" in text] == []
    assert [text for text in quiet_for(system, FAILED) if "交费成功" in text] == []
    assert system.wait_for(BATCH, lambda found: found["status"] == "over")["process"] == "batch_debit"
