"""Every rule has an example that fires, one that does not, one on the boundary to the second, and one of late news.

What an example is, is told from its rows: it fires if the rule is among `raised`; it does not if the rule judges such
rows and is not; it stands on the boundary if something is raised by the clock alone, at its very moment, or if a row
tells a second (or less) before or after; it has late news if a row tells of what was before. Where rows cannot show
it, the example's name says it, in the words of `EDGE` and `NEWS`.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from rules import SHIPPED, Process, RuleFile, loader, read_definitions
from rules.models import Rule
from tests.helpers.builders import SHANGHAI

Example = dict[str, Any]
LOADED = read_definitions([SHIPPED])
PROCESSES = {process.id: process for process in LOADED.of(Process)}
EDGE = re.compile(
    r"boundary|second|moment|exact|midnight|very|limit|no more|up to|in time|is not (above|below|more)", re.IGNORECASE
)
NEWS = re.compile(r"\blate\b|\bnews\b|takes? (it|them) back|afterwards", re.IGNORECASE)
SHOWN_ELSEWHERE = {
    ("A20", "fires"): "a share of at least twenty reports: tests/e2e/test_s2_13_volumes.py",
    ("A20", "does not"): "as above: nineteen reports",
    ("A20", "boundary"): "the window's edge: tests/unit/rules/test_thresholds.py",
    ("A20", "late news"): "reports are counted when they come: a late one is a new one",
}
"""Why an example is not in the definitions, and where the fact is shown; a reason that is no more needed is a fault."""


def examples() -> Iterator[tuple[str, Example]]:
    for file in LOADED.files:
        if isinstance(file.model, Process | RuleFile):
            yield from ((str(file.key), example) for _, example in loader.tests_of(file))


EXAMPLES = list(examples())
RULES: dict[str, list[tuple[str, Rule]]] = {}
for one in LOADED.files:
    for rule in one.model.rules if isinstance(one.model, RuleFile) else ():
        RULES.setdefault(rule.code, []).append((str(one.key), rule))


def raised(example: Example, code: str) -> list[Example]:
    return [each for each in example.get("raised") or () if each["rule"] == code]


def is_about(example: Example, key: str, code: str) -> bool:
    """Tell whether the rule judges what the example tells; one that names its rules judges by those alone."""
    if example.get("only") is not None or raised(example, code):
        return code in (example.get("only") or [code])
    return any(key == own and _reads(rule, example) for own, rule in RULES[code])


def _reads(rule: Rule, example: Example) -> bool:
    told = {row["entity"] for row in example.get("rows") or ()}
    told |= {"application"} & example.keys() | ({"negative_item"} if "item" in example else set())
    stages = {visit["stage"] for visit in example.get("visits") or ()}
    stage, each = getattr(rule, "stage", None), getattr(rule, "each", None)
    if (stage is not None and stage not in stages) or (each is not None and each not in told):
        return False
    return any(process.entity in told for process in PROCESSES.values() if process.is_among(rule.processes))


def moments(given: object) -> Iterator[datetime]:
    if isinstance(given, dict | list):
        for each in given.values() if isinstance(given, dict) else given:
            yield from moments(each)
    elif isinstance(given, str) and re.match(r"\d{4}-\d{2}-\d{2}T", given):
        moment = datetime.fromisoformat(given)
        yield moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def is_on_the_boundary(example: Example, code: str) -> bool:
    told = set(moments([example.get(name) for name in ("application", "item", "visits", "rows")]))
    by_the_clock = any(set(moments(each.get("at"))) - told for each in raised(example, code))
    to_the_second = any(each.second or each.microsecond for each in (*told, *moments(example.get("until"))))
    return by_the_clock or to_the_second or bool(EDGE.search(example["name"]))


def has_late_news(example: Example) -> bool:
    return any("told_at" in visit for visit in example.get("visits") or ()) or bool(NEWS.search(example["name"]))


def lacking(code: str) -> set[str]:
    mine = [example for key, example in EXAMPLES if is_about(example, key, code)]
    shown = {
        "fires": any(raised(example, code) for example in mine),
        "does not": any(not raised(example, code) for example in mine),
        "boundary": any(is_on_the_boundary(example, code) for example in mine),
        "late news": any(has_late_news(example) for example in mine),
    }
    return {kind for kind, is_shown in shown.items() if not is_shown}


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_rule_has_its_four_examples(code: str) -> None:
    assert lacking(code) == {kind for rule, kind in SHOWN_ELSEWHERE if rule == code}


def test_an_example_is_told_by_its_rows() -> None:
    fires = {"name": "x", "raised": [{"rule": "R-T03", "at": "2026-03-06T00:00+08:00"}]}
    assert is_on_the_boundary(fires, "R-T03")
    assert not is_on_the_boundary({**fires, "rows": [{"at": "2026-03-06T00:00+08:00"}]}, "R-T03")
    assert not has_late_news(fires)
    assert has_late_news({**fires, "visits": [{"stage": "SURVEY", "told_at": "2026-03-06T00:00+08:00"}]})
