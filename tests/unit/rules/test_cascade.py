"""S3-04: limits that an upper unit makes, and what the units below it make of them."""

from datetime import date
from pathlib import Path

import pytest

from rules import SHIPPED, DefinitionSet, Execution, compiled, read_definitions, settings_of
from tests.helpers.builders import World

PROVINCE = """\
version: cascade/v1
id: province
title: 省公司时限模板
org: "334"
lower: {may: MAY, fields: [limit, value]}
execution: {frequency: monthly, day: 5}
limits:
  - {process: hv_connection, stage: SURVEY, limit: 4wd}
thresholds:
  - {indicator: I122, severity: ALARM, operator: lt, value: 90, unit: "%"}
"""
CITY = """\
version: cascade/v1
id: city
title: 市公司时限模板
org: "33401"
limits:
  - {process: hv_connection, stage: SURVEY, limit: LIMIT}
"""


def units(folder: Path, *, may: str = "tighten", limit: str = "3wd", more: str = "") -> DefinitionSet:
    """Give the shipped set with a province's template and one of a city below it."""
    (folder / "province.yaml").write_text(PROVINCE.replace("MAY", may), encoding="utf-8")
    (folder / "city.yaml").write_text(CITY.replace("LIMIT", limit) + more, encoding="utf-8")
    return read_definitions([SHIPPED, folder])


def faults(loaded: DefinitionSet) -> list[str]:
    return [str(fault).rpartition("/")[2] for fault in loaded.faults]


def test_each_unit_is_judged_by_the_nearest_template_up_the_tree(tmp_path: Path) -> None:
    world = World(definitions=compiled(units(tmp_path)))
    for key, org in (("CITY", "3340102"), ("PROVINCE", "3340202"), ("ELSEWHERE", "3350101")):
        world.app(key, org_no=org)
        world.visit("SURVEY", key)
    world.until("2026-03-31")
    found = {alert.instance: alert.due_at for alert in world.alerts if alert.rule == "R-T03"}
    assert found["CITY"] < found["PROVINCE"] < found["ELSEWHERE"]  # type: ignore[operator]


def test_a_city_that_loosens_under_tighten_only_is_refused_at_its_place(tmp_path: Path) -> None:
    assert faults(units(tmp_path, limit="4wd")) == []
    message = "city.yaml:6:52: 6wd is no stricter than 4wd of the unit above, which lets it only be tightened"
    assert faults(units(tmp_path, limit="6wd")) == [message]
    in_hours = [fault for fault in faults(units(tmp_path, limit="24h")) if "stricter" in fault]
    assert len(in_hours) == 1, "hours and workdays cannot be compared"


def test_a_limit_in_hours_of_which_a_rule_warns_in_workdays_is_refused_at_its_place(tmp_path: Path) -> None:
    message = "city.yaml:6:52: 48h cannot stand here: R-T03 warns workdays before it; give it in wd"
    assert faults(units(tmp_path, may="free", limit="48h")) == [message]


def test_what_the_top_rules_out_no_unit_between_can_grant(tmp_path: Path) -> None:
    county = CITY.replace("city", "county").replace("33401", "3340102").replace("LIMIT", "60wd")
    (tmp_path / "county.yaml").write_text(county, encoding="utf-8")
    assert faults(units(tmp_path, more="lower: {may: free, fields: [limit, execution]}\n")) == [
        "city.yaml:7:14: free grants more than province (unit 334): tighten",
        "city.yaml:7:36: execution cannot be granted: province (unit 334) lets no unit below it change it",
        "county.yaml:6:52: 60wd is no stricter than 3wd of the unit above, which lets it only be tightened",
    ]


def test_a_unit_below_one_that_only_inherits_only_inherits_too(tmp_path: Path) -> None:
    (tmp_path / "county.yaml").write_text(
        CITY.replace("city", "county").replace("33401", "3340102").replace("LIMIT", "1wd"), encoding="utf-8"
    )
    message = "province (unit 334) lets no unit below it change the limit"
    assert faults(units(tmp_path, may="inherit")) == [f"city.yaml:6:5: {message}", f"county.yaml:6:5: {message}"]


def test_what_may_be_inherited_only_or_freely(tmp_path: Path) -> None:
    assert faults(units(tmp_path, may="free", limit="9wd")) == []
    message = "city.yaml:6:5: province (unit 334) lets no unit below it change the limit"
    assert faults(units(tmp_path, may="inherit")) == [message]


def test_fields_that_may_not_be_changed_are_refused(tmp_path: Path) -> None:
    message = "city.yaml:7:12: province (unit 334) lets no unit below it change the execution"
    assert faults(units(tmp_path, more="execution: {frequency: weekly, day: 1}\n")) == [message]
    assert faults(units(tmp_path, more="execution: {frequency: monthly, day: 5}\n")) == []


def test_a_threshold_is_tightened_towards_the_sooner_alarm(tmp_path: Path) -> None:
    row = 'thresholds:\n  - {indicator: I122, severity: ALARM, operator: lt, value: %s, unit: "%%"}\n'
    assert faults(units(tmp_path, more=row % 95)) == []
    assert len(faults(units(tmp_path, more=row % 80))) == 1


def test_a_unit_says_no_limit_of_what_the_template_above_does_not_have(tmp_path: Path) -> None:
    row = "  - {process: hv_connection, stage: SURVEY, when: {app_type: new}, limit: 2wd}\n"
    assert len(faults(units(tmp_path, more=row))) == 1


def test_a_unit_s_row_never_hides_one_for_a_special_case(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    row = CITY.replace("hv_connection, stage: SURVEY, limit: LIMIT", "lv_connection, stage: SCHEME, limit: 6wd")
    (folder / "city.yaml").write_text(row, encoding="utf-8")
    world = World(definitions=compiled(read_definitions([SHIPPED, folder])))
    world.row("customer", "C1", cons_type="resident")
    world.lv_app("A1", cons_no="C1", org_no="3340102")
    world.visit("SCHEME")
    world.until("2026-03-31")
    assert world.raised("R-T04")[-1] == ("R-T04", "ALARM", "2026-03-06T00:00"), "residents keep their three workdays"


def test_the_value_that_counts_comes_first_with_those_that_it_replaces(tmp_path: Path) -> None:
    models = [file.model for file in units(tmp_path).files]
    chain = [s for s in settings_of(models, "default", "3340102") if s.about == "hv_connection SURVEY"]
    assert [(s.value, s.definition, s.org) for s in chain] == [
        ("3wd", "cascade/city", "33401"), ("4wd", "cascade/province", "334"), ("5wd", "limits/default", None),
    ]  # fmt: skip
    assert [s.value for s in settings_of(models, "default", "9") if s.about == "hv_connection SURVEY"] == ["5wd"]


@pytest.mark.parametrize(
    ("execution", "days"),
    [
        (Execution(frequency="monthly", day=5), ["2026-02-05", "2026-03-05"]),
        (Execution(frequency="monthly", day=31), ["2026-02-28", "2026-03-31"]),
        (Execution(frequency="weekly", day=1), ["2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23", "2026-03-02"]),
        (Execution(frequency="quarterly"), []),
    ],
)
def test_s3_03_a_template_runs_on_its_day_only(execution: Execution, days: list[str]) -> None:
    spring = [date.fromordinal(date(2026, 2, 1).toordinal() + n) for n in range(59)]
    found = [str(day) for day in spring if execution.runs_on(day)]
    assert found[: len(days)] == days
    assert execution.frequency == "weekly" or found == days


def test_misspelt_names_are_faults(tmp_path: Path) -> None:
    row = "".join(
        f"  - {{process: {process}, stage: {stage}, limit: 2wd}}\n"
        for process, stage in (("hv_conection", "SURVEY"), ("hv_connection", "SURVY"))
    )
    found = faults(units(tmp_path, may="free", more=row))
    assert [fault.split(": ")[1] for fault in found] == [
        found[0].split(": ")[1], "no stage 'SURVY' in hv_connection",
    ]  # fmt: skip
    assert "no process 'hv_conection'" in found[0]
