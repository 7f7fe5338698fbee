"""What an alert rests on: each row once, by its newest record; what it is about, or what set it off, first."""

from schemas import Change
from tests.helpers.builders import World
from tests.helpers.row_books import book


def named(world: World, rule: str, severity: str | None = None, event: str = "raised") -> list[tuple[str, int]]:
    """Give topic (without its prefix) and offset of what the last such event of a rule rests on."""
    alert = [
        a for a in world.alerts if (a.rule, a.event) == (rule, event) and severity in (None, a.severity)
    ][-1]  # fmt: skip
    return [(each.topic.removeprefix("cdc."), each.offset) for each in alert.evidence]


def at(*changes: Change) -> list[tuple[str, int]]:
    """Give where these changes were read."""
    return [(change.entity, change.offset) for change in changes]


# -- the negative list


def test_an_application_under_an_item_rests_on_both_and_what_brought_them_together_is_first() -> None:
    w = World()
    early = w.item("N1")
    app = w.app(tg_no="TG1")
    assert named(w, "R-N01") == at(app, early)
    late = w.item("N2", at="2026-03-03T09:00")
    assert named(w, "R-N04") == at(late, app)


def test_under_a_line_too() -> None:
    w = World()
    item = w.line_item()
    app = w.app(line_no="L1")
    assert named(w, "R-N02") == at(app, item)


def test_the_district_by_which_a_transformer_was_found_is_named() -> None:
    w = World()
    item = w.item(tg_no=None)
    app = w.app(tg_no="TG7")
    district = w.row("tg", "TG7", trans_no="T1", at="2026-03-03T09:00")
    w.until("2026-03-03T10:00")
    assert named(w, "R-N01") == at(app, item, district)


def test_an_item_is_named_by_what_was_last_known_of_it_and_its_clearing_by_the_record_that_told_it() -> None:
    w = World()
    w.item(published_at=None)
    published = w.item(op="u", published_at="2026-03-03T09:00", at="2026-03-03T09:00")
    app = w.app(tg_no="TG1")
    assert named(w, "R-N01") == at(app, published)
    cleared = w.item(op="u", cleared_at="2026-03-04T09:00", at="2026-03-04T09:00")
    w.until("2026-03-04T10:00")
    assert named(w, "R-N01", event="cleared") == at(app, cleared)


def test_what_arrives_later_is_not_named() -> None:
    w = World()
    known = w.item(at="2026-03-03T09:00")
    w.reference.add(Change("negative_item", "N1", "N1", "u", 99, known.at + 1, "cdc.negative_item", 0, 99, {}))
    app = w.app(tg_no="TG1")
    assert named(w, "R-N01") == at(app, known)


# -- deadlines


def test_a_stage_that_counts_from_its_entry_rests_on_its_own_row() -> None:
    w = World()
    w.app()
    visit = w.visit("SURVEY")
    w.until("2026-03-20T09:00")
    assert named(w, "R-T03", "ALARM") == at(visit)


def test_a_stage_that_counts_from_acceptance_rests_on_the_application_too() -> None:
    w = World()
    w.app()
    visit = w.visit("SCHEME")
    newest = w.app(op="u", apply_cap_kva=500, at="2026-03-03T09:00", accepted_at="2026-03-02T09:00")
    w.until("2026-04-20T09:00")
    assert named(w, "R-T04", "ALARM") == at(visit, newest)


def test_a_limit_by_kind_of_customer_rests_on_the_customer_too() -> None:
    w = World()
    customer = w.row("customer", "C1", cons_type="resident")
    app = w.lv_app(cons_no="C1")
    visit = w.visit("CONNECT")
    w.until("2026-03-20T09:00")
    assert named(w, "R-T12", "ALARM") == at(visit, app, customer)


def test_an_idle_stage_rests_on_the_report_that_restarted_it() -> None:
    w = World()
    w.app()
    visit = w.visit("DESIGN")
    w.row("works_report", "W1", "A1", submitted_at="2026-03-03T09:00")
    last = w.row("works_report", "W2", "A1", submitted_at="2026-03-05T09:00")
    w.until("2026-06-20T09:00")
    assert named(w, "R-T05", "ALARM") == at(visit, last)


def test_a_stage_that_ends_with_its_instance_says_what_ended_it() -> None:
    w = World()
    w.app()
    visit = w.visit("SURVEY")
    w.until("2026-03-20T09:00")
    archived = w.app(op="u", archived_at="2026-03-20T10:00", at="2026-03-20T10:00", accepted_at="2026-03-02T09:00")
    assert named(w, "R-T03", "ALARM", "closed") == at(visit, archived)


def test_a_stage_whose_row_is_deleted_says_so() -> None:
    w = World()
    w.app()
    visit = w.visit("SURVEY")
    w.until("2026-03-20T09:00")
    gone = w.delete("visit", visit.row, "A1", at="2026-03-20T10:00")
    assert named(w, "R-T03", "ALARM", "cleared") == at(gone)


def test_a_whole_that_stops_while_a_stage_does_rests_on_that_stage() -> None:
    w = World()
    app = w.app()
    stopped = w.visit("SURVEY", suspend_from="2026-03-03T09:00", suspend_to="2026-03-10T09:00")
    w.until("2027-03-20T09:00")
    assert named(w, "R-T14", "ALARM") == at(app, stopped)


# -- findings


def test_a_stage_that_began_too_early_rests_on_the_one_that_stood_open() -> None:
    w = World()
    w.app()
    before = w.visit("COMPLETE", at="2026-03-03T09:00")
    visit = w.visit("CONNECT", at="2026-03-04T09:00")
    assert named(w, "R-T18") == at(visit, before)


def test_rows_without_their_application_are_all_named_and_it_when_it_comes() -> None:
    w = World()
    rows = w.visit("ACCEPT"), w.visit("SURVEY")
    w.until("2026-03-02T10:00")
    assert named(w, "R-D03") == at(*rows)
    app = w.app(at="2026-03-02T11:00")
    assert named(w, "R-D03", event="cleared") == at(app)


# -- rules about rows


def of_rows(rule: str) -> World:
    world = World(definitions=book(rule))
    world.row("thing", "T1", "T1", org_no="3340101", over_at=None)
    return world


def test_a_sum_rests_on_the_rows_added_up() -> None:
    w = of_rows(
        "code: X-S, kind: threshold, each: bill, value: {of: payment, sum: amount, match: {bill_no: bill_no}}, "
        "rungs: {WARN: {gt: 10}}"
    )
    payments = [w.row("payment", f"P{n}", "T1", bill_no="B1", amount=6) for n in range(2)]
    w.row("payment", "P9", "T1", bill_no="B2", amount=6)
    bill = w.row("bill", "B1", "T1", bill_no="B1")
    assert named(w, "X-S") == at(bill, *payments)


def test_a_jump_rests_on_the_rows_before() -> None:
    w = of_rows(
        "code: X-J, kind: jump, each: bill, value: kwh, by: ym, alike: [meter_no], over: 50%, base: {mean_of_last: 3}"
    )
    before = w.row("bill", "1", "T1", ym=202601, meter_no="M", kwh=100)
    after = w.row("bill", "2", "T1", ym=202602, meter_no="M", kwh=900)
    assert named(w, "X-J") == at(after, before)


def test_a_deadline_of_a_row_rests_on_what_told_its_start_and_what_ended_it() -> None:
    w = of_rows(
        "code: X-D, kind: deadline, each: order, start: {entity: order_sent, field: sent_at, match: {no: no}}, "
        "limit: 1h, until_row: [{entity: order_done, field: done_at, match: {no: no}}], rungs: {ALARM: {at: deadline}}"
    )
    order = w.row("order", "O", "T1", no=1)
    sent = w.row("order_sent", "S", "T1", no=1, sent_at="2026-03-02T09:00")
    w.until("2026-03-02T12:00")
    assert named(w, "X-D") == at(order, sent)
    done = w.row("order_done", "D", "T1", no=1, done_at="2026-03-02T13:00", at="2026-03-02T13:00")
    assert named(w, "X-D", event="closed") == at(order, sent, done)


def test_what_two_systems_tell_otherwise_rests_on_both_rows() -> None:
    w = of_rows(
        "code: X-R, kind: reconciliation, left: {entity: ours}, right: {entity: theirs}, on: {no: no}, "
        "compare: [amount], after: 0s, severity: WARN"
    )
    ours = w.row("ours", "1", "T1", no=1, amount=5)
    theirs = w.row("theirs", "1", "T1", no=1, amount=6)
    w.until("2026-03-03T09:00")
    assert named(w, "X-R") == at(ours, theirs)


def test_a_row_that_fits_no_more_says_so_itself() -> None:
    w = of_rows("code: X-T, kind: threshold, each: bill, value: {field: kwh}, rungs: {WARN: {gt: 10}}")
    w.row("bill", "B1", "T1", kwh=11)
    gone = w.row("bill", "B1", "T1", op="u", kwh=1)
    assert named(w, "X-T", event="cleared") == at(gone)
