"""What a process is and when one is in trouble: definitions in YAML, calendars, and the pure engine.

The room's door: other rooms import from here.
"""

from rules.calendar_overlay import Zone
from rules.compiler import Definitions
from rules.description import describe
from rules.draw import draw_svg, draw_text, limit_lines
from rules.durations import Duration, DurationField, parse_duration
from rules.engine.engine import Engine
from rules.engine.membership import ITEM
from rules.engine.partition import Partition, Step
from rules.loader import (
    SHIPPED,
    Choice,
    DefinitionSet,
    UnknownChoice,
    compiled,
    load_definitions,
    read_definitions,
)
from rules.models import LimitFile, Process, RuleFile
from rules.reference import Reference
from rules.state import Instance, InstanceSummary, rung_parts
from rules.testing import TestResult, run_tests
from rules.vocabulary import Vocabulary, known_entities, nearest_first
from rules.workdays import WorkCalendar, state_council_calendar

__all__ = [
    "ITEM",
    "SHIPPED",
    "Choice",
    "DefinitionSet",
    "Definitions",
    "Duration",
    "DurationField",
    "Engine",
    "Instance",
    "InstanceSummary",
    "LimitFile",
    "Partition",
    "Process",
    "Reference",
    "RuleFile",
    "Step",
    "TestResult",
    "UnknownChoice",
    "Vocabulary",
    "WorkCalendar",
    "Zone",
    "compiled",
    "describe",
    "draw_svg",
    "draw_text",
    "known_entities",
    "limit_lines",
    "load_definitions",
    "nearest_first",
    "parse_duration",
    "read_definitions",
    "run_tests",
    "rung_parts",
    "state_council_calendar",
]
