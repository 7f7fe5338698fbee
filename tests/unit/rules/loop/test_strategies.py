"""Which loop an alert goes (issue 7, domain.md 4.4 and 4.7): the shipped strategies against the shipped rules."""

from typing import get_args

import pytest

from rules import SHIPPED, StrategyFile, read_definitions
from rules.loop.strategy import Domain, Strategy
from rules.models import RuleFile
from tests.helpers.loops import shipped

RULES = sorted({rule.code for file in read_definitions([SHIPPED]).of(RuleFile) for rule in file.rules})


@pytest.mark.parametrize("code", [code for code in RULES if code.startswith("A")])
def test_every_anomaly_goes_the_long_way(code: str) -> None:
    found = shipped().find(code, "WARN" if code == "A13" else "ALARM")
    assert found is not None
    assert found.loop == "long"


@pytest.mark.parametrize("code", [code for code in RULES if code.startswith(("R-T", "R-N"))])
def test_every_time_limit_and_the_negative_list_go_the_short_way(code: str) -> None:
    found = shipped().find(code, "ALARM")
    assert found is not None
    assert found.loop == "short"
    assert shipped().find(code, "WARN") is None


def test_all_nine_domains_are_under_control() -> None:
    assert {each.domain for each, _ in shipped().entries if each.loop == "long"} == set(get_args(Domain))


def test_each_strategy_has_a_chain_its_own_or_the_files() -> None:
    assert all(each.escalation for each, _ in shipped().entries)
    own = {"id": "own", "title": "t", "rules": ["A01"], "escalation": []}
    file = StrategyFile.model_validate(
        {
            "version": "strategy/v1", "id": "f", "escalation": [{"after": "2h"}],
            "strategies": [own, {"id": "other", "title": "t", "rules": ["A02"]}],
        }
    )  # fmt: skip
    assert [len(each.escalation or ()) for each in file.complete()] == [0, 1]
    assert isinstance(file.strategies[0], Strategy)
