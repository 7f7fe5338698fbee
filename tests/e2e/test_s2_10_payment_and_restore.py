"""S2-10: a bank payment yields M09; a restore yields M10 to both the customer and the meter reader."""

from tests.helpers.customers import bill, customer, payment, quiet_for, stakeholder, texts_until
from tests.helpers.supply_lives import command
from tests.helpers.whole_system import WholeSystem, ago, example

CUSTOMER, RESTORED, READER = "13922100001", "13922100002", "13922100003"


def test_s2_10_bank_payment_yields_m09(system: WholeSystem) -> None:
    customer(system, "S210-pays", CUSTOMER)
    bill(system, "S210-pays", issued_at=ago(days=40))
    payment(system, "S210-pays")
    said = texts_until(system, CUSTOMER, "交费成功")
    assert "通过银行交费86.50元" in said[-1]
    payment(system, "S210-pays", cashier_org_no="3340102")
    assert len(quiet_for(system, CUSTOMER)) == 1


def test_s2_10_restore_yields_m10_to_customer_and_meter_reader(system: WholeSystem) -> None:
    system.capture("ymd", "ymd_tg", example("ymd", "ymd_tg", tg_no="TG-S210", org_no="S210ORG"))
    stakeholder(system, "R-S210", READER, org_no="S210ORG", role="meter_reader")
    row = example("mkt", "mkt_cons", cons_no="S210-off", mobile=RESTORED, addr="示范路129号", tg_no="TG-S210")
    system.capture("mkt", "mkt_cons", row)
    command(system, "S210-off", "close", ago(minutes=2), None)
    command(system, "S210-off", "close", ago(minutes=2), ago(minutes=1))
    for mobile in (RESTORED, READER):
        texts_until(system, mobile, "户号S210-off（示范路129号）已于")
        assert len(quiet_for(system, mobile)) == 1
