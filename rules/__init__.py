"""What a process is and when one is in trouble: definitions in YAML, calendars, and the pure engine.

The room's door: other rooms import from here.
"""

from rules.arithmetic import ClockRow, DayKind, DayRow, Grounds, clock_rows, day_names, grounds_of, workday_rows
from rules.calendar_overlay import Zone
from rules.cascade import CascadeFile, Execution, Setting, settings_of
from rules.compiler import Definitions
from rules.coverage import Uncovered, uncovered
from rules.description import describe
from rules.difference import FieldChange, field_changes
from rules.draw import draw_svg, draw_text, limit_lines
from rules.durations import Duration, DurationField, parse_duration
from rules.engine.engine import Engine
from rules.engine.membership import ITEM
from rules.engine.partition import Partition, Step
from rules.golden import GoldenColumn, Origin, describe_golden, golden_record, lineage
from rules.impact import Example, Impact, measure
from rules.loader import (
    SHIPPED,
    Choice,
    DefinitionSet,
    UnknownChoice,
    compiled,
    load_definitions,
    read_definitions,
    with_files,
)
from rules.models import LimitFile, Process, RuleFile
from rules.reconciliation import Difference, differences
from rules.reference import Reference
from rules.state import Instance, InstanceSummary, is_time, rung_parts
from rules.testing import TestResult, run_tests
from rules.versions import (
    Answer,
    Definition,
    Ledger,
    Manifest,
    decode_record,
    encode_record,
    proposed,
    restored,
    rule_versions,
    texts_of,
)
from rules.vocabulary import Vocabulary, known_entities, nearest_first
from rules.workdays import WorkCalendar, state_council_calendar

__all__ = [
    "ITEM",
    "SHIPPED",
    "Answer",
    "CascadeFile",
    "Choice",
    "ClockRow",
    "DayKind",
    "DayRow",
    "Definition",
    "DefinitionSet",
    "Definitions",
    "Difference",
    "Duration",
    "DurationField",
    "Engine",
    "Example",
    "Execution",
    "FieldChange",
    "GoldenColumn",
    "Grounds",
    "Impact",
    "Instance",
    "InstanceSummary",
    "Ledger",
    "LimitFile",
    "Manifest",
    "Origin",
    "Partition",
    "Process",
    "Reference",
    "RuleFile",
    "Setting",
    "Step",
    "TestResult",
    "Uncovered",
    "UnknownChoice",
    "Vocabulary",
    "WorkCalendar",
    "Zone",
    "clock_rows",
    "compiled",
    "day_names",
    "decode_record",
    "describe",
    "describe_golden",
    "differences",
    "draw_svg",
    "draw_text",
    "encode_record",
    "field_changes",
    "golden_record",
    "grounds_of",
    "is_time",
    "known_entities",
    "limit_lines",
    "lineage",
    "load_definitions",
    "measure",
    "nearest_first",
    "parse_duration",
    "proposed",
    "read_definitions",
    "restored",
    "rule_versions",
    "run_tests",
    "rung_parts",
    "settings_of",
    "state_council_calendar",
    "texts_of",
    "uncovered",
    "with_files",
    "workday_rows",
]
