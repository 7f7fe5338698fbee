"""S0-09: one golden record per application, each column with the source and position that it comes from."""

from decimal import Decimal
from typing import Any

from rules.golden import GoldenColumn, golden_record, lineage
from rules.state import Instance, Place, Row
from schemas import to_wire

PRECEDENCE = {"application": ("mkt", "lean"), "application.mgr_no": ("lean", "mkt")}
TOPICS = {"mkt": "cdc.mkt.mkt_app", "lean": "cdc.lean.lean_app_detail", "ech": "cdc.ech.ech_app"}


def row(source: str, position: int, offset: int = 7, older: dict[str, int] | None = None, **fields: Any) -> Row:
    return Row(position, to_wire(fields), Place(TOPICS[source], 2, offset), older=older)


def golden(main: Row | None, **others: Row) -> dict[str, GoldenColumn]:
    names = {"lean": "application@lean:A1", "ech": "online_application:N1", "notice": "coord_notice:C1"}
    instance = Instance("A1", main=main, others={names[name]: each for name, each in others.items()} or None)
    return golden_record(instance, "application", precedence=PRECEDENCE, source_of=lambda topic: topic.split(".")[1])


def test_the_believed_source_counts_and_what_others_say_is_told_beside() -> None:
    found = golden(row("mkt", 50, volt_class="HV"), lean=row("lean", 9, volt_class="LV"))["volt_class"]
    assert (found.value, found.origin.source, found.origin.position) == ("HV", "mkt", 50)
    assert found.others == (("lean", "LV"),)


def test_a_field_may_have_an_order_of_its_own() -> None:
    found = golden(row("mkt", 50, mgr_no="M1", org_no="1"), lean=row("lean", 9, mgr_no="M2", org_no="2"))
    assert (found["mgr_no"].value, found["org_no"].value) == ("M2", "1")


def test_column_that_the_believed_source_does_not_tell_comes_from_the_next() -> None:
    found = golden(row("mkt", 50, org_no="1"), lean=row("lean", 9, tg_no="T1"), ech=row("ech", 3, cust_name="丁"))
    assert [(name, column.origin.source) for name, column in found.items()] == [
        ("cust_name", "ech"), ("org_no", "mkt"), ("tg_no", "lean"),
    ]  # fmt: skip


def test_null_of_the_believed_source_says_that_there_is_nothing() -> None:
    found = golden(row("mkt", 50, archived_at=None), lean=row("lean", 9, archived_at=1))["archived_at"]
    assert (found.value, found.others) == (None, (("lean", 1),))


def test_column_that_the_newest_record_lacked_keeps_its_own_position() -> None:
    found = golden(row("mkt", 50, older={"addr": 20}, addr="城北", org_no="1"))
    assert (found["addr"].origin.position, found["addr"].origin.offset) == (20, None)
    assert (found["org_no"].origin.position, found["org_no"].origin.offset) == (50, 7)


def test_decimals_of_equal_worth_do_not_differ() -> None:
    found = golden(row("mkt", 5, cap=Decimal("630.0")), lean=row("lean", 5, cap=630))["cap"]
    assert (found.value, found.others) == (Decimal("630.0"), ())


def test_deleted_rows_and_rows_of_other_things_tell_nothing() -> None:
    gone = row("mkt", 50, org_no="1")
    gone.is_deleted = True
    assert golden(gone, notice=row("lean", 1, content="x")) == {}
    assert golden(None, lean=row("lean", 9, org_no="2"))["org_no"].origin.source == "lean"


def test_lineage_lists_the_columns_of_each_origin_once() -> None:
    found = lineage(golden(row("mkt", 50, older={"addr": 20}, addr="a", org_no="1"), lean=row("lean", 9, tg_no="T")))
    assert [(each["source"], each["position"], each["columns"]) for each in found] == [
        ("mkt", 20, ["addr"]), ("mkt", 50, ["org_no"]), ("lean", 9, ["tg_no"]),
    ]  # fmt: skip
