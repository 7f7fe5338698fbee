"""What a process is and when one is in trouble: definitions in YAML, calendars, and the pure engine.

The room's door: other rooms import from here.
"""

from rules.calendar import WorkCalendar, state_council_calendar
from rules.compiler import Definitions
from rules.description import describe
from rules.engine.engine import Engine
from rules.engine.partition import Partition, Step
from rules.loader import SHIPPED, DefinitionSet, compiled, load_definitions, read_definitions
from rules.reference import Reference

__all__ = [
    "SHIPPED",
    "DefinitionSet",
    "Definitions",
    "Engine",
    "Partition",
    "Reference",
    "Step",
    "WorkCalendar",
    "compiled",
    "describe",
    "load_definitions",
    "read_definitions",
    "state_council_calendar",
]
