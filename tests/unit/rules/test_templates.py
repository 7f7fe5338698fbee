"""Templates: units' own copies, the kinds of message M01 to M17, and what `check` refuses."""

import re
from pathlib import Path

import pytest

from rules import MESSAGE_KINDS, SAMPLE_VALUES, SHIPPED, load_definitions, parameters_of, read_definitions, text_for
from rules.loader import with_files
from rules.wording import GROUP_PARAMETERS, Wording
from tests.helpers.builders import World, shipped

OWN = {"t": {"33401": "city {instance}", "3340102": "own {instance}"}}
WORDING = Wording({"t": "standard {instance}", "u": "else"}, shipped().calendar, own=OWN)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("3340102", "own A1"), ("334010203", "own A1"), ("3340101", "city A1"), ("33401", "city A1"),
        ("33402", "standard A1"), ("3340", "standard A1"), (None, "standard A1"), ("", "standard A1"),
    ],
)  # fmt: skip
def test_the_nearest_copy_up_the_tree_wins(unit: str | None, text: str) -> None:
    assert WORDING.say("t", {"instance": "A1"}, unit=unit) == text


def test_a_template_without_a_copy_is_the_standard_one_for_every_unit() -> None:
    assert WORDING.say("u", {}, unit="3340102") == "else"
    assert text_for("t", "334010203", {"t": "s"}, OWN) == ("own {instance}", "3340102")


def own_file(folder: Path, text: str, name: str = "own", org: str = "3340102") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f'version: templates/v1\nid: {name}\norg: "{org}"\ntemplates:\n{text}', encoding="utf-8")
    return path


def faults(*paths: Path) -> list[str]:
    return [fault.message for fault in with_files(read_definitions((SHIPPED,)), paths).faults]


def test_an_alert_speaks_in_its_units_own_words(tmp_path: Path) -> None:
    own_file(tmp_path, '  stage_late: "自己的{instance}"\n')
    w = World(definitions=load_definitions((SHIPPED, tmp_path)))
    w.app("A1", org_no="334010203")
    w.app("A2", org_no="3340101")
    for app in ("A1", "A2"):
        w.visit("SURVEY", app)
    w.until("2026-03-07T00:00")
    texts = {alert.instance: alert.text for alert in w.alerts if alert.rule == "R-T03"}
    assert texts["A1"].startswith("自己的A1")
    assert texts["A2"].startswith("【业扩管控】")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('  stage_late: "{nobody}"\n', "nobody fills in {nobody}"),
        ('  stage_lat: "x"\n', "no sentence 'stage_lat' in the standard library"),
        ('  stage_late: "{"\n', "braces do not match"),
        ('  M02: "{instance}"\n', "nobody fills in {instance}; known are amount, due_date, month, name"),
        ('  stage_late: "{sup_no}"\n', "nobody fills in {sup_no}"),
        ('  stage_late: " "\n', "it says nothing"),
        ('  stage_late: "{due!r}"\n', "{due} stands in the text as it is"),
        ('  M09: "{amount:>999999999}"\n', "{amount} stands in the text as it is"),
    ],
)
def test_a_copy_that_cannot_be_said_is_a_fault(tmp_path: Path, text: str, message: str) -> None:
    (fault,) = faults(own_file(tmp_path, text))
    assert fault.startswith(message)


def test_two_copies_of_one_unit_are_a_fault_and_of_two_units_are_none(tmp_path: Path) -> None:
    text = '  stage_late: "{instance}"\n'
    files = [own_file(tmp_path, text, "a"), own_file(tmp_path, text, "b"), own_file(tmp_path, text, "c", "3340103")]
    (fault,) = faults(*files)
    assert "has a sentence 'stage_late' for the same unit" in fault


def test_every_kind_of_message_has_its_template_with_exactly_its_parameters() -> None:
    standard = shipped().templates
    assert sorted(MESSAGE_KINDS) == [f"M{number:02}" for number in range(1, 18)]
    for name, kind in MESSAGE_KINDS.items():
        assert parameters_of(standard[name]) == kind.parameters, name
        assert re.match("【.+?】.+", standard[name].format_map(SAMPLE_VALUES)), name


def test_every_parameter_has_a_usual_value() -> None:
    assert SAMPLE_VALUES.keys() == GROUP_PARAMETERS.union(*(kind.parameters for kind in MESSAGE_KINDS.values()))
