"""Sentences: what alerts say, and what a template may ask for."""

import pytest

from rules.wording import Wording, unknown_parameters
from tests.helpers.builders import World, ms, shipped

WORDING = Wording({"t": "{instance}{stage}", "g": "{object}:{count}:{list}"}, shipped().calendar)


@pytest.mark.parametrize(
    ("ms_late", "text"),
    [
        (1, "0分钟"), (59_999, "0分钟"), (60_000, "1分钟"), (3_600_000, "1小时0分钟"), (86_400_000, "1天"),
        (86_400_000 + 3_600_000, "1天1小时"), (86_400_000 + 59 * 60_000, "1天"),
    ],
)  # fmt: skip
def test_lateness_in_words(ms_late: int, text: str) -> None:
    assert WORDING.lateness(ms_late) == text


def test_midnight_is_the_end_of_the_day_before() -> None:
    assert WORDING.time(ms("2026-03-10T00:00")) == "3月9日24时"
    assert WORDING.time(ms("2026-03-10T09:05")) == "3月10日09:05"
    assert WORDING.time(None) == "—"


def test_a_parameter_without_a_value_reads_as_a_dash() -> None:
    assert WORDING.say("t", {"instance": "A1", "stage": None}) == "A1—"


def test_a_group_leaves_count_and_list_to_be_filled_in() -> None:
    assert WORDING.group("g", {"object": "公变T1"}) == "公变T1:{count}:{list}"


def test_braces_in_a_value_are_no_parameters() -> None:
    assert WORDING.say("t", {"instance": "{stage}", "stage": "x"}) == "{stage}x"


@pytest.mark.parametrize(
    ("template", "unknown"), [("{instance}", []), ("{x}{y}", ["x", "y"]), ("{}", [""]), ("{0}", ["0"])]
)
def test_unknown_parameters_are_named(template: str, unknown: list[str]) -> None:
    assert unknown_parameters(template) == unknown


def test_a_warning_names_the_application_the_stage_and_the_deadline() -> None:
    w = World()
    w.app()
    w.visit("SURVEY")
    w.until("2026-03-07T00:00")
    text = w.last("R-T03").text
    assert all(part in text for part in ("预警", "A1", "现场勘查", "3月9日24时", "3340101"))


def test_every_shipped_rule_speaks_in_chinese_and_says_its_instance() -> None:
    w = World()
    w.item(plan_finish_at="2026-03-21T00:00", published_at=None)
    w.item("N2")
    w.app(tg_no="TG1", status_code="???")
    w.visit("A|B")
    w.visit("COMPLETE", finished_at="2026-03-01T00:00")
    for stage in ("DESIGN", "SURVEY", "CONNECT"):
        w.visit(stage)
    w.until("2026-12-01T00:00")
    assert len({a.rule for a in w.alerts}) >= 10
    for alert in w.alerts:
        assert alert.instance in alert.text
        assert "{" not in alert.text
        assert any("一" <= char <= "鿿" for char in alert.text)


def test_the_line_is_named_as_a_line() -> None:
    w = World()
    w.line_item()
    w.app(line_no="L1")
    assert "线路L1" in w.last("R-N02").text
