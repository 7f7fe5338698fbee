"""The loop from an alert to its end: tasks, replies, escalation, work orders (domain.md, P08, P21, 4.7). Pure."""

from rules.loop.machine import Loop, parts_of
from rules.loop.strategies import Strategies
from rules.loop.strategy import Strategy, StrategyFile
from rules.loop.task_numbers import is_number, owner_of, task_number

__all__ = [
    "Loop", "Strategies", "Strategy", "StrategyFile", "is_number", "owner_of", "parts_of", "task_number",
]  # fmt: skip
