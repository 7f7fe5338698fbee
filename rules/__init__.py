"""What a process is and when one is in trouble: definitions in YAML, calendars, and the pure engine.

The room's door: other rooms import from here.
"""

from rules.arithmetic import (
    ClockRow,
    DayKind,
    DayRow,
    Grounds,
    clock_rows,
    day_names,
    grounds_of,
    grounds_of_row,
    workday_rows,
)
from rules.calendar_overlay import Overlay, Zone
from rules.cascade import CascadeFile, Setting, setting_of, settings_of, threshold_setting_of
from rules.compiler import Definitions
from rules.description import describe
from rules.difference import FieldChange, field_changes
from rules.draw import draw_svg, draw_text, limit_lines, stage_lines
from rules.durations import Duration, DurationField, parse_duration
from rules.engine.engine import Engine
from rules.engine.membership import ITEM
from rules.engine.partition import Partition, Step
from rules.evaluation import PARTS, Deduction, Evaluation, Score, evaluate
from rules.evaluation_material import Dossier, Ground, Material, last_events
from rules.evaluation_models import TOTAL, Catalogue, EvaluationFile
from rules.evaluation_period import Period
from rules.evaluation_units import Units
from rules.golden import GoldenColumn, Origin, describe_golden, golden_record, lineage
from rules.impact import Example, Impact, measure, measure_values
from rules.inbound import Clerk, read_text, without_cards
from rules.loader import (
    SHIPPED,
    Choice,
    DefinitionSet,
    UnknownChoice,
    compiled,
    load_definitions,
    read_definitions,
    read_texts,
    with_files,
)
from rules.loop import (
    By,
    ControlTotal,
    Loop,
    Strategies,
    StrategyFile,
    anomaly_number,
    control_totals,
    is_number,
    owner_of,
    parts_of,
    task_number,
    unit_in,
)
from rules.message_kinds import KINDS as MESSAGE_KINDS
from rules.message_kinds import SAMPLES as SAMPLE_VALUES
from rules.models import LimitFile, LimitRow, Process, RuleFile, TemplateFile
from rules.quiet_hours import Mornings, QuietHours
from rules.reach import Uncovered, uncovered
from rules.reconciliation import Difference, differences
from rules.reference import Reference
from rules.report_models import ReportFile
from rules.reports import Report, ReportClock, Reports, notice_of
from rules.restriction import only, touched_rules
from rules.routing import Routing
from rules.state import Instance, InstanceSummary, is_time, rung_parts
from rules.task_hints import task_hints
from rules.template_fitting import copies_of
from rules.testing import TestResult, run_tests
from rules.threshold_judge import ThresholdJudge
from rules.threshold_models import Execution, IndicatorRule, Threshold
from rules.thresholds import Thresholds
from rules.totals import Derived, Total, Totals, delta_key, indicator_value
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
from rules.wording import Wording, parameters_of, text_for
from rules.workdays import WorkCalendar, state_council_calendar

__all__ = [
    "ITEM",
    "MESSAGE_KINDS",
    "PARTS",
    "SAMPLE_VALUES",
    "SHIPPED",
    "TOTAL",
    "Answer",
    "By",
    "CascadeFile",
    "Catalogue",
    "Choice",
    "Clerk",
    "ClockRow",
    "ControlTotal",
    "DayKind",
    "DayRow",
    "Deduction",
    "Definition",
    "DefinitionSet",
    "Definitions",
    "Derived",
    "Difference",
    "Dossier",
    "Duration",
    "DurationField",
    "Engine",
    "Evaluation",
    "EvaluationFile",
    "Example",
    "Execution",
    "FieldChange",
    "GoldenColumn",
    "Ground",
    "Grounds",
    "Impact",
    "IndicatorRule",
    "Instance",
    "InstanceSummary",
    "Ledger",
    "LimitFile",
    "LimitRow",
    "Loop",
    "Manifest",
    "Material",
    "Mornings",
    "Origin",
    "Overlay",
    "Partition",
    "Period",
    "Process",
    "QuietHours",
    "Reference",
    "Report",
    "ReportClock",
    "ReportFile",
    "Reports",
    "Routing",
    "RuleFile",
    "Score",
    "Setting",
    "Step",
    "Strategies",
    "StrategyFile",
    "TemplateFile",
    "TestResult",
    "Threshold",
    "ThresholdJudge",
    "Thresholds",
    "Total",
    "Totals",
    "Uncovered",
    "Units",
    "UnknownChoice",
    "Vocabulary",
    "Wording",
    "WorkCalendar",
    "Zone",
    "anomaly_number",
    "clock_rows",
    "compiled",
    "control_totals",
    "copies_of",
    "day_names",
    "decode_record",
    "delta_key",
    "describe",
    "describe_golden",
    "differences",
    "draw_svg",
    "draw_text",
    "encode_record",
    "evaluate",
    "field_changes",
    "golden_record",
    "grounds_of",
    "grounds_of_row",
    "indicator_value",
    "is_number",
    "is_time",
    "known_entities",
    "last_events",
    "limit_lines",
    "lineage",
    "load_definitions",
    "measure",
    "measure_values",
    "nearest_first",
    "notice_of",
    "only",
    "owner_of",
    "parameters_of",
    "parse_duration",
    "parts_of",
    "proposed",
    "read_definitions",
    "read_text",
    "read_texts",
    "restored",
    "rule_versions",
    "run_tests",
    "rung_parts",
    "setting_of",
    "settings_of",
    "stage_lines",
    "state_council_calendar",
    "task_hints",
    "task_number",
    "text_for",
    "texts_of",
    "threshold_setting_of",
    "touched_rules",
    "uncovered",
    "unit_in",
    "with_files",
    "without_cards",
    "workday_rows",
]
