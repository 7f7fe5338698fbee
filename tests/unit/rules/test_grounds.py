"""Rules that rest on other rules: they judge by the numbers that those have, and change when those do."""

from pathlib import Path

import pytest

from rules import (
    SHIPPED,
    DefinitionSet,
    Engine,
    Impact,
    Ledger,
    compiled,
    measure,
    proposed,
    read_definitions,
    settings_of,
)
from rules.fingerprints import fingerprints
from tests.helpers.builders import World
from tests.helpers.row_books import faults
from tests.helpers.rulebooks import CHOICE, Book, Edit, edited
from tests.unit.rules.test_take_up import take_up

MONTHS = ("202512", "202601", "202602")
ENERGY = "parameters: {field: energy_kwh, over: 0.5, at_least: 100}"
TIGHT: Edit = ("rules/billing", ENERGY, ENERGY.replace("over: 0.5", "over: 0.2"))
LOOSE: Edit = ("rules/billing", ENERGY, ENERGY.replace("over: 0.5", "over: 5"))
OFF: Edit = ("rules/billing", "  - code: A04\n", "  - code: A04\n    enabled: false\n")
FOR_NEW: Edit = ("rules/billing", "id: billing\n", "id: billing\napplies_to: new\n")
A24 = ("A24", "CRITICAL")


def billed(*definitions: Edit, kwh: int = 520) -> World:
    """C1 used 400 kWh a month; a bill of more was issued and nobody passed it."""
    return issue(World(definitions=compiled(edited(*definitions)), now="2026-03-28T12:00"), "C1", kwh=kwh)


def issue(world: World, cons: str, *, kwh: int = 520) -> World:
    world.row("billing_account", cons, cons, op="u", cons_no=cons)
    for month in MONTHS:
        world.row("bill", f"{cons}-{month}", cons, ym=month, energy_kwh=400, amount=200)
    for issued in (None, "2026-03-28T12:00"):
        world.row("bill", f"{cons}-03", cons, ym="202603", energy_kwh=kwh, amount=200, issued_at=issued)
    return world


def test_a_tightened_ground_finds_more_issued_unaudited_and_says_by_what() -> None:
    assert billed().events("A24") == []
    world = billed(TIGHT)
    assert world.events("A24") == [(*A24, "raised")]
    assert "未经人工审核即发行：电量增减异常，520，前3期平均400.00" in world.last("A24").text


def test_a_ground_that_is_looser_or_out_of_use_demands_no_audit() -> None:
    assert billed(kwh=900).events("A24") == [(*A24, "raised")]
    assert billed(LOOSE, kwh=900).events("A24") == billed(OFF, kwh=900).events("A24") == []


def test_a_change_of_a_ground_is_one_of_what_rests_on_it_and_of_no_other() -> None:
    book = Book()
    book.publish(TIGHT)
    assert book.ledger.manifests[1].rule_versions == {"A04": 2, "A24": 2}
    meters: Edit = ("rules/billing", "parameters: {days: 2}", "parameters: {days: 3}")  # A02 of line_loss
    book = Book()
    book.publish(meters)
    assert book.ledger.manifests[1].rule_versions == {"A02": 2}


def template(folder: Path, *rows: str, org: str = "33401", lower: str = "") -> DefinitionSet:
    """Give the shipped set with what a unit, and maybe more of them, set of A04's parameters."""
    (folder / f"{org}.yaml").write_text(
        f"version: cascade/v1\nid: u{org}\ntitle: t\norg: '{org}'\n{lower}parameters:\n"
        + "".join(f"  - {{{row}}}\n" for row in rows),
        encoding="utf-8",
    )
    return read_definitions([SHIPPED, folder])


OVER = "rule: A04, values: {over: %s}"


def test_a_unit_s_tightened_ground_counts_for_it_and_for_those_below_alone(tmp_path: Path) -> None:
    template(tmp_path, "rule: A04, values: {at_least: 50, over: 0.3}", org="334")
    world = World(definitions=compiled(template(tmp_path, OVER % 0.2)), now="2026-03-28T12:00")
    world.row("tg", "TG1", tg_no="TG1", org_no="3340101")
    for cons, where, kwh in (
        ("CITY", {"org_no": "3340101"}, 490), ("DISTRICT", {"tg_no": "TG1"}, 490), ("USUAL", {"tg_no": "TG1"}, 480),
        ("PROVINCE", {"org_no": "33402"}, 490), ("FAR", {"org_no": "33402"}, 521),
        ("ELSEWHERE", {"org_no": "335"}, 600), ("NOWHERE", {"tg_no": "TG2"}, 600),
    ):  # fmt: skip
        world.feed("billing_account", cons, cons, op="c", at=None, given={"cons_no": cons, **where})
        issue(world, cons, kwh=kwh)
    found = {(alert.rule, alert.instance) for alert in world.alerts if alert.rule in {"A04", "A24"}}
    assert found == {(rule, cons) for rule in ("A04", "A24") for cons in ("CITY", "DISTRICT", "FAR")}


def test_what_a_unit_sets_is_a_change_of_the_rule_and_of_what_rests_on_it(tmp_path: Path) -> None:
    ledger = Ledger()
    manifest = proposed(ledger, edited(), template(tmp_path, OVER % 0.2), CHOICE)
    assert manifest.rule_versions == {"A04": 2, "A24": 2}
    loaded = template(tmp_path, "rule: A02, values: {days: 1}")
    assert proposed(ledger, edited(), loaded, CHOICE).rule_versions == {"A02": 2}, "of line losses: no ground of A24"


def test_what_counts_for_a_unit_is_told_with_what_it_replaces(tmp_path: Path) -> None:
    models = [file.model for file in template(tmp_path, OVER % 0.2).files]
    chain = [(s.value, s.org) for s in settings_of(models, "default", "3340101") if s.about == "A04 over"]
    assert chain == [("0.2", "33401"), ("0.5", None)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("rule: A99, values: {over: 1}", "no computed rule 'A99' with parameters; known are A01, A02"),
        ("rule: A04, values: {share: 1}", "abnormal_change has no parameter 'share'"),
        ("rule: A04, values: {over: much}", "over must be Decimal, not 'much'"),
        ("rule: A04, values: {}", "at least 1 item"),
        (OVER % 0.4, "0.4 is no stricter than 0.3 of A04 above, which lets it only be tightened"),
        ("rule: A04, values: {at_least: 101}", "101 is no stricter than 100 of A04 above"),
        ("rule: A04, values: {field: amount}", "field of A04 is neither stricter nor looser: it stays as it is"),
        (OVER % 0.3, ""),
    ],
)
def test_what_a_unit_may_not_set_is_refused_at_its_place(tmp_path: Path, row: str, message: str) -> None:
    template(tmp_path, OVER % 0.3, org="334")
    found = template(tmp_path, row).faults
    assert [message in fault.message for fault in found] == ([True] if message else [])
    assert all(fault.file.endswith("33401.yaml") and fault.line == 6 for fault in found)


def test_units_above_may_keep_parameters_to_themselves(tmp_path: Path) -> None:
    template(tmp_path, OVER % 0.3, org="334", lower="lower: {fields: [limit]}\n")
    [fault] = template(tmp_path, OVER % 0.2).faults
    assert "lets no unit below it change the value" in fault.message
    template(tmp_path, OVER % 0.3, org="334", lower="lower: {may: free}\n")
    assert template(tmp_path, OVER % 0.9).faults == []


def test_a_version_of_a_file_is_no_change_of_what_rests_on_its_rule() -> None:
    named: Edit = ("rules/billing", "  - code: A04\n", "  - code: A04\n    version: 3\n")
    before, after = fingerprints(edited(), "default"), fingerprints(edited(named), "default")
    assert after["A24"] == before["A24"]


def test_running_ones_follow_a_live_change_of_a_ground_and_back() -> None:
    world, book = billed(), Book()
    first = book.publish()
    take_up(world, book.publish(TIGHT))
    assert world.open("A24", key="C1") == [A24]
    assert world.last("A24").rule_version == 2
    world.restart()
    take_up(world, first)
    assert world.events("A24")[-1] == (*A24, "cleared")
    assert world.open("A24", key="C1") == []


def test_what_a_change_of_a_ground_would_mean_is_told_before() -> None:
    world, impact = billed(), Impact()
    measure(impact, world.engine, Engine(compiled(edited(TIGHT)), world.reference), world.partition)
    assert impact.raised["A24", "CRITICAL"] == 1


def test_a_ground_for_new_instances_only_leaves_what_began_before_as_it_was_judged() -> None:
    world = billed()
    take_up(world, Book().publish(FOR_NEW, TIGHT))
    issue(world, "C2")
    assert [(a.instance, a.rule_version) for a in world.alerts if a.rule == "A24"] == [("C2", 2)]


def test_news_that_a_ground_reads_is_news_for_what_rests_on_it() -> None:
    world = billed(kwh=400)
    world.row("meter", "M1", "C1", meter_no="M1", digits=5, ct_ratio=1)
    reading = {"meter_no": "M1", "reg_code": "total", "ym": "202603", "prev_reading": 900, "cur_reading": 700}
    world.feed("reading", "C1", "M1|202603", op="c", at=None, given=reading)
    assert world.open("A24", key="C1") == [A24]
    assert "倒走" in world.last("A24").text


ASKS = "code: X-1, kind: computed, each: bill, function: issued_unaudited"
AGAIN = ASKS.replace("X-1", "X-2")
ODD = "code: X-2, kind: computed, each: bill, function: abnormal_change, parameters: {field: amount}"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((f"{ASKS}, grounds: [X-9]", ODD), "no computed rule 'X-9' for thing; known are X-2"),
        ((f"{ASKS}, grounds: [A01]",), "no computed rule 'A01' for thing; known are none"),
        ((f"{ASKS}, grounds: [X-3]", "code: X-3, kind: distinct, fields: [a, b]"), "no computed rule 'X-3'"),
        ((f"{ASKS}, grounds: [X-1]",), "X-1 rests on other rules itself: name those"),
        ((f"{ASKS}, grounds: [X-2]", f"{AGAIN}, grounds: [X-1]"), "X-2 rests on other rules itself"),
        ((f"{ODD}, grounds: [X-1]", ASKS), "abnormal_change asks no other rules"),
        ((f"{ASKS}, grounds: [nothing]",), "should match pattern"),
        ((f"{ASKS}, parameters: {{grounds: [X-2]}}", ODD), "has no parameter 'grounds'"),
    ],
)  # fmt: skip
def test_what_a_rule_cannot_rest_on_is_refused_at_its_place(rules: tuple[str, ...], message: str) -> None:
    found = [fault for fault in faults(*rules) if message in fault.message]
    assert [fault.file for fault in found[:1]] == ["3.yaml"]
    assert found[0].line > 3
    assert faults(f"{ASKS}, grounds: [X-2]", ODD) == []
