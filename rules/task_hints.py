"""What stands behind which sentence because its reader has a task to close: so that its length is known beforehand."""

from collections.abc import Iterable, Iterator

from rules.loop.opening import IN_BRACKETS
from rules.loop.strategy import Strategy
from rules.rule_base import RuleBase
from schemas import SEVERITIES


def task_hints(rules: Iterable[RuleBase], strategies: Iterable[Strategy], number: str) -> dict[str, str]:
    """Give the longest hint behind messages of a template, by its id, with a task's `number` filled in."""
    asked, hints = tuple(strategies), dict[str, str]()
    for rule in rules:
        for hint in _hints_of(rule.code, asked):
            group = f"{rule.text}_group"
            for name, said in ((rule.text, number), (group, IN_BRACKETS)):
                hints[name] = max(hints.get(name, ""), hint.replace("{number}", said), key=len)
    return hints


def _hints_of(code: str, strategies: tuple[Strategy, ...]) -> Iterator[str]:
    for severity in SEVERITIES:
        strategy = next((each for each in strategies if each.fits(code, severity)), None)
        if strategy is not None and strategy.loop == "short":
            yield strategy.hint
