"""Thresholds over indicator values: what a breach is, when it is looked at, and how news of a past day repairs it."""

from decimal import Decimal
from pathlib import Path

import pytest

from rules import Execution, Reference
from rules.threshold_models import Threshold
from rules.threshold_periods import Timetable, before, period_of, years_on
from rules.thresholds import Ratio, bounds
from rules.workdays import state_council_calendar
from tests.helpers.builders import shipped
from tests.helpers.thresholds import Court, definitions, delta, ms, unit

DAILY = '{frequency: daily, at: "08:00"}'
BELOW_NINETY = '[{indicator: I122, operator: lt, value: 90, unit: "%"}]'


# -- what a breach is


@pytest.mark.parametrize(
    ("operator", "value", "edge", "beyond"),
    [
        ("gt", 10, (1, 10), (101, 1000)),
        ("ge", 10, (99, 1000), (1, 10)),
        ("lt", 10, (1, 10), (99, 1000)),
        ("le", 10, (101, 1000), (1, 10)),
        ("outside", 2, (-2, 100), (-201, 10_000)),
        ("outside", (5, 10), (5, 100), (49, 1000)),
    ],
)
def test_a_breach_is_decided_exactly_on_its_edge(
    operator: str, value: object, edge: tuple[int, int], beyond: tuple[int, int]
) -> None:
    threshold = Threshold.model_validate({"indicator": "I122", "operator": operator, "value": value, "unit": "%"})
    low, high = bounds(threshold)
    assert not Ratio.of(*edge).exceeds(threshold.operator, low, high)
    assert Ratio.of(*beyond).exceeds(threshold.operator, low, high)
    assert Ratio.of(-beyond[0], -beyond[1]).exceeds(threshold.operator, low, high), "signs of both change nothing"


def test_a_difference_is_exact_in_points_and_as_a_share_of_the_base() -> None:
    now, base = Ratio(Decimal("0.3"), 3), Ratio(7, 100)
    points, share = now.less(base, relative=False), now.less(base, relative=True)
    assert points is not None
    assert share is not None
    assert Decimal(points.numerator) / points.denominator == Decimal("0.03")
    assert abs(float(share) - 3 / 7) < 1e-12
    assert now.less(Ratio(0, 5), relative=True) is None


@pytest.mark.parametrize("fault", [
    {"operator": "gt", "value": [1, 2]}, {"operator": "outside", "value": [2, 1]}, {"operator": "outside", "value": -1},
    {"operator": "gt", "value": 1, "relative": True},
    {"operator": "gt", "value": 1, "compare": "last_period", "window": {"events": 5, "time": "1h"}},
])  # fmt: skip
def test_a_threshold_that_makes_no_sense_is_refused(fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"outside|two values|base|compared"):
        Threshold.model_validate({"indicator": "I122", **fault})


@pytest.mark.parametrize(("thresholds", "message"), [
    ("[{indicator: I999, operator: gt, value: 1}]", "no indicator 'I999'"),
    ("[{indicator: I244, operator: gt, value: 1}]", "made of the values of I243T"),
    ("[{indicator: I111, operator: gt, value: 1, window: {events: 5, time: 1h}}]", "is no mean"),
    ("[{indicator: I122, operator: gt, value: 1}, {indicator: I122, operator: gt, value: 2}]", "is there twice"),
])  # fmt: skip
def test_names_that_do_not_fit_are_faults_with_their_place(tmp_path: Path, thresholds: str, message: str) -> None:
    with pytest.raises(AssertionError, match=rf"trial\.yaml:9:\d+: .*{message}"):
        definitions(tmp_path, thresholds)


# -- when it is looked at


@pytest.mark.parametrize(("execution", "after", "runs", "judges"), [
    ({"frequency": "daily", "at": "08:00"}, "03-02T08:00", "03-03T08:00", "2026-03-02"),
    ({"frequency": "hourly", "at": "00:15"}, "03-02T08:15", "03-02T09:15", "2026-03-02"),
    ({"frequency": "weekly", "day": 1}, "03-02T00:00", "03-09T00:00", "2026-W10"),
    ({"frequency": "monthly", "day": 5}, "03-05T00:00", "04-05T00:00", "2026-03"),
    ({"frequency": "monthly", "day": 31}, "02-01T00:00", "02-28T00:00", "2026-01"),
    ({"frequency": "quarterly", "day": 5, "at": "09:30"}, "04-05T09:29", "04-05T09:30", "2026-Q1"),
    ({"frequency": "quarterly", "day": 5}, "04-05T09:30", "07-05T00:00", "2026-Q2"),
])  # fmt: skip
def test_an_execution_runs_on_its_day_and_judges_what_is_over(
    execution: dict[str, object], after: str, runs: str, judges: str
) -> None:
    table = Timetable(Execution.model_validate(execution), state_council_calendar())
    assert table.next_after(ms(after)) == ms(runs)
    assert table.period_at(ms(runs)).label == judges
    if execution["frequency"] != "hourly":
        assert table.judged_at(table.period_at(ms(runs))) == ms(runs)


def test_periods_go_back_over_the_ends_of_years() -> None:
    assert before("weekly", period_of("weekly", "2026-01-01")).label == "2025-W52"
    assert before("quarterly", period_of("quarterly", "2026-01-01")).label == "2025-Q4"
    assert years_on("daily", period_of("daily", "2024-02-29"), -1).label == "2023-02-28"
    assert years_on("weekly", period_of("weekly", "2026-12-31"), -1).label == "2025-W52", "2026 has 53 weeks"


def test_a_value_is_judged_at_once_and_ends_when_it_is_in_order_again(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, "[{indicator: I121, operator: gt, value: 2, unit: 户, clear: 1}]"))
    court.take([delta("I121", 3, at="03-02T09:00"), delta("I121", -1, at="03-02T10:00")])
    court.until("03-02T09:59")
    assert court.said == [("raised", "org:3340101", "3340101在途方案数3户，高于2户。请核实。")]
    assert court.alerts[0].raised_at == ms("03-02T09:00")
    court.until("03-02T10:30")
    assert len(court.alerts) == 1, "two is not above two, but the alert ends at one"
    court.take([delta("I121", -1, at="03-02T11:00"), delta("I121", 5, at="03-02T12:00")])
    court.until("03-02T12:00")
    assert court.events == [(event, "org:3340101") for event in ("raised", "cleared", "reopened")]
    assert len({alert.alert_id for alert in court.alerts}) == 1


def test_what_falls_back_within_the_second_was_never_beyond(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, "[{indicator: I121, operator: gt, value: 2}]"))
    court.take([delta("I121", 3, at="03-02T09:00:00.100"), delta("I121", -3, at="03-02T09:00:00.900")])
    court.until("03-02T10:00")
    assert court.alerts == []


def test_a_day_is_judged_when_its_time_comes_and_again_when_late_news_repairs_it(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, BELOW_NINETY, DAILY))
    court.take([delta("I122", 8, 10, date="2026-03-02", at="03-02T15:00")])
    court.until("03-03T07:59:59")
    assert court.alerts == []
    court.until("03-03T08:00")
    assert court.events == [("raised", "org:3340101:2026-03-02")]
    court.take([delta("I122", 90, 90, date="2026-03-02", at="03-04T10:00")])
    court.until("03-04T10:01")
    assert court.events[1:] == [("cleared", "org:3340101:2026-03-02")]
    court.take([delta("I122", 0, 1, date="2026-03-03", at="03-05T10:00")])
    court.until("03-05T10:01")
    assert court.events[2:] == [("raised", "org:3340101:2026-03-03")], "news that makes a past day bad is told"


def test_a_year_of_history_brings_no_year_of_alerts(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, BELOW_NINETY, DAILY))
    court.take([delta("I122", 0, 1, date=f"2026-0{month}-02", at="06-01T10:00") for month in range(1, 6)])
    court.take([delta("I122", 0, 1, date="2026-05-28", at="06-01T10:00")])
    court.until("06-01T10:01")
    assert court.events == [("raised", "org:3340101:2026-05-28")]


def test_a_monthly_template_with_day_five_runs_on_day_five_only_and_sums_the_month(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, BELOW_NINETY, "{frequency: monthly, day: 5}"))
    court.take([delta("I122", 5, 10, date="2026-03-02", at="03-02T15:00")])
    court.take([delta("I122", 39, 40, date="2026-03-31", at="03-31T15:00")])
    court.take([delta("I122", 0, 10, date="2026-04-02", at="04-02T15:00")])
    court.until("04-04T23:59:59")
    assert court.alerts == []
    court.until("05-04T23:59:59")
    assert court.events == [("raised", "org:3340101:2026-03")], "44 of 50; of April nothing is said before May 5"


# -- what it is compared with


def test_a_jump_is_told_and_goes_with_the_day_that_it_was_measured_from(tmp_path: Path) -> None:
    rule = "[{indicator: I122, operator: outside, value: 3, unit: 点, compare: last_period}]"
    court = Court(definitions(tmp_path, rule, DAILY))
    court.take([delta("I122", 90, 100, date="2026-03-02", at="03-02T15:00")])
    court.take([delta("I122", 94, 100, date="2026-03-03", at="03-03T15:00")])
    court.until("03-04T09:00")
    assert court.said == [("raised", "org:3340101:2026-03-03", "3340101方案及时率较上期4点，超出3点。请核实。")]
    court.take([delta("I122", 1, 0, date="2026-03-02", at="03-04T10:00")])
    court.until("03-04T10:01")
    assert court.events[1:] == [("cleared", "org:3340101:2026-03-03")]


def test_the_same_period_a_year_ago_as_a_share_of_it(tmp_path: Path) -> None:
    rule = "[{indicator: I111, operator: lt, value: -20, unit: '%', compare: same_period_last_year, relative: true}]"
    court = Court(definitions(tmp_path, rule, "{frequency: monthly, day: 1}"))
    court.take([delta("I111", 100, date="2025-02-10", at="2025-02-10T09:00")])
    court.take([delta("I111", 79, date="2026-02-20", at="02-20T09:00")])
    court.until("03-01T00:00")
    assert court.events == [("raised", "org:3340101:2026-02")]


def test_peers_are_the_other_units_below_the_same_one(tmp_path: Path) -> None:
    reference = Reference(frozenset({"org", "stakeholder"}))
    for org in ("3340101", "3340102", "3340103", "3350101"):
        reference.add(unit(org, org[:5]))
    rule = "[{indicator: I122, operator: lt, value: -10, unit: 点, compare: peer_mean}]"
    court = Court(definitions(tmp_path, rule, DAILY), reference)
    rates = {"3340101": (70, 100), "3340102": (80, 100), "3340103": (290, 300), "3350101": (1, 100)}
    court.take([delta("I122", *rate, date="2026-03-02", at="03-02T15:00", org=org) for org, rate in rates.items()])
    court.until("03-03T08:00")
    assert court.events == [("raised", "org:3340101:2026-03-02")], "the second is ten points below 90: not more"
    assert "较同级平均-22.5点" in court.alerts[0].text, "the parts of the peers are summed: 370 of 400"


def test_only_the_first_of_several_days_in_a_row_is_told_on_the_edge(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, BELOW_NINETY.replace("unit:", "trigger: edge, unit:"), DAILY))
    for day, done in ((2, 95), (3, 80), (4, 80), (5, 95), (6, 80)):
        court.take([delta("I122", done, 100, date=f"2026-03-0{day}", at=f"03-0{day}T15:00")])
    court.until("03-10T00:00")
    assert court.events == [("raised", "org:3340101:2026-03-03"), ("raised", "org:3340101:2026-03-06")]


# -- units and templates

PROVINCE = """\
version: cascade/v1
id: province
title: 省公司
org: "334"
lower: {may: tighten, fields: [value, execution]}
execution: {frequency: daily, at: "09:00"}
thresholds:
  - {indicator: I123, severity: ALARM, operator: gt, value: 10}
"""
CITY = """\
version: cascade/v1
id: city
title: 市公司
org: "33401"
thresholds:
  - {indicator: I123, severity: ALARM, operator: gt, value: 8}
"""


def test_a_template_judges_every_unit_below_by_the_nearest_value_on_the_sum_of_its_units(tmp_path: Path) -> None:
    rules = definitions(tmp_path, BELOW_NINETY, DAILY, province=PROVINCE, city=CITY)
    court = Court(rules)
    means = {"3340101": (90, 10), "3340102": (70, 10), "3340201": (90, 10), "3350101": (200, 10)}
    court.take([delta("I123", *mean, date="2026-03-02", at="03-02T15:00", org=org) for org, mean in means.items()])
    court.until("03-04T00:00")
    assert court.events == [("raised", "org:3340101:2026-03-02")], "the city's mean is 8, the province's 8.33"
    assert (court.alerts[0].rule, court.alerts[0].raised_at) == ("X-I123", ms("03-03T09:00"))
    court.take([delta("I123", 20, 1, date="2026-03-03", at="03-03T15:00", org="3340102")])
    court.until("03-05T00:00")
    assert {i for _, i in court.events[1:]} == {f"org:{org}:2026-03-03" for org in ("3340102", "33401", "334")}


def test_a_changed_threshold_alters_the_next_run_and_one_that_is_gone_ends_what_it_told(tmp_path: Path) -> None:
    court = Court(definitions(tmp_path, BELOW_NINETY, DAILY))
    court.take([delta("I122", 85, 100, date=f"2026-03-0{day}", at=f"03-0{day}T15:00") for day in (2, 3, 4)])
    court.until("03-03T12:00")
    court.judge.go_over(definitions(tmp_path, BELOW_NINETY.replace("90", "80"), DAILY))
    court.until("03-04T12:00")
    assert court.events == [("raised", "org:3340101:2026-03-02")], "85 % is in order now; what was told stands"
    court.judge.go_over(definitions(tmp_path, "[{indicator: I111, operator: lt, value: 0}]", DAILY))
    court.until("03-04T13:00")
    assert court.events[1:] == [("cleared", "org:3340101:2026-03-02")]


# -- windows


def test_the_mean_of_the_last_events_only(tmp_path: Path) -> None:
    rules = definitions(tmp_path, "[{indicator: I123, operator: gt, value: 300, window: {events: 2, time: 1h}}]")
    court = Court(rules)
    for at, took in (("09:00", 100), ("09:10", 100), ("09:20", 501)):
        court.take([delta("I123", took, 1, date="2026-03-02", at=f"03-02T{at}")])
    court.until("03-02T10:10")
    assert court.events == [("raised", "org:3340101")], "of 100 and 501; after an hour 501 alone stays"
    court.until("03-02T10:20")
    assert court.events[1:] == [("cleared", "org:3340101")]


def test_an_owner_goes_on_where_another_stopped(tmp_path: Path) -> None:
    rules = definitions(tmp_path, "[{indicator: I123, operator: gt, value: 300, window: {events: 2, time: 1h}}]")
    court = Court(rules)
    court.take([delta("I123", 400, 1, date="2026-03-02", at="03-02T09:00")])
    court.take([delta("I123", 100, 1, date="2026-03-02", at="03-02T09:10")])
    court.until("03-02T09:05")
    other = court.recovered()
    for each in (court, other):
        each.until("03-02T11:00")
    assert other.alerts == court.alerts
    assert [event for event, _ in court.events] == ["raised", "cleared"]
    assert other.kept == court.kept


def test_the_shipped_thresholds_are_of_the_rule_book() -> None:
    rules = shipped()
    assert {"I243T", "I245B", "I209", "I211F"} <= rules.thresholds.judged
