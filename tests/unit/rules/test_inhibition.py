"""What is said of equipment below other constrained equipment repeats what was said of that, and says so."""

from tests.helpers.builders import World


def test_a_line_and_a_transformer_below_a_listed_substation_say_what_is_above_them() -> None:
    w = World()
    w.row("tg", "TG7", trans_no="T1", line_no="L1")
    w.manager("TG7", "M1")
    w.item("N1", tg_no=None)
    w.line_item("N2")
    w.item("N3", nl_type="MAIN_SUBS", tg_no=None, trans_no=None, subs_no="S1")
    w.app(tg_no="TG7", line_no="L1", subs_no="S1")
    told = {(notice.rule, notice.object_no): notice.below for notice in w.notices}
    assert told == {("R-N01", "T1"): "main_subs S1", ("R-N02", "L1"): "main_subs S1", ("R-N03", "S1"): ""}


def test_an_item_that_opens_below_another_one_says_so_and_one_above_does_not() -> None:
    w = World()
    w.row("tg", "TG7", trans_no="T1", line_no="L1")
    w.manager("TG7", "M1")
    w.app(tg_no="TG7", line_no="L1")
    w.line_item("N2", at="2026-03-03T09:00")
    w.item("N1", tg_no=None, at="2026-03-04T09:00")
    assert [(notice.rule, notice.object_no, notice.below) for notice in w.notices] == [
        ("R-N04", "L1", ""),
        ("R-N04", "T1", "dist_line L1"),
    ]
