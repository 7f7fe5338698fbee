"""The loop from an alert to its end: tasks and replies, anomalies and their packages, work orders. Pure.

Sources: domain.md, P08, P21, 4.7.
"""

from rules.loop.anomaly_numbers import anomaly_number, unit_in
from rules.loop.control_totals import By, ControlTotal, control_totals
from rules.loop.machine import Loop
from rules.loop.replies import parts_of
from rules.loop.strategies import Strategies
from rules.loop.strategy import Strategy, StrategyFile
from rules.loop.task_numbers import is_number, owner_of, task_number

__all__ = [
    "By", "ControlTotal", "Loop", "Strategies", "Strategy", "StrategyFile", "anomaly_number", "control_totals",
    "is_number", "owner_of", "parts_of", "task_number", "unit_in",
]  # fmt: skip
