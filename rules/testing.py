"""The tests inside definition files: examples in business words, run against the engine itself.

Called by `stagewatch rules test` and by CI. A test says what arrives and what must come of it; the engine
that judges it is the one that runs in the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rules.calendar_overlay import Overlay
from rules.compiler import Definitions
from rules.durations import parse_duration
from rules.engine.alerting import MESSAGE
from rules.engine.conditions import compile_condition
from rules.engine.engine import Engine
from rules.engine.partition import Step
from rules.evaluation_models import EvaluationFile
from rules.evaluation_testing import evaluation_test_faults
from rules.loader import DefinitionSet, LoadedFile, compiled, tests_of
from rules.loop import StrategyFile
from rules.loop.testing import strategy_test_faults
from rules.models import LimitFile, TemplateFile
from rules.reference import Reference
from rules.report_models import ReportFile, ReportTest
from rules.reports import report_test_faults
from rules.scenario import ENTITIES, home_of, scenario_changes
from rules.state import Instance
from rules.threshold_judge import ThresholdJudge
from rules.totals import Totals, indicator_value
from rules.workdays import failed_tests
from schemas import AlertEvent, Notice, iso, plain


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of one file: where it stands and how it came out."""

    __test__ = False  # not for pytest

    file: str
    line: int
    name: str
    faults: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """True if everything came out as the test says."""
        return not self.faults


def run_tests(loaded: DefinitionSet, *, only: str | None = None) -> list[TestResult]:
    """Run the tests of every file of a set without faults; a file without tests gives one that failed.

    `only`: the path of the one file whose tests are run.
    """
    files = loaded.files if only is None else [each for each in loaded.files if each.path == only]
    return list(tests_run(files, loaded))


def tests_run(files: Iterable[LoadedFile], loaded: DefinitionSet) -> Iterator[TestResult]:
    """Run the tests of some files of a set, one after the other as they are asked for."""
    definitions = compiled(loaded)
    for file in files:
        tests = tests_of(file)
        if not tests:
            yield TestResult(file.path, 1, "-", ("the file carries no `tests:`",))
        if isinstance(file.model, Overlay):
            failed = dict(failed_tests(file.model))
            for number, (line, test) in enumerate(tests):
                faults = (failed[number],) if number in failed else ()
                yield TestResult(file.path, line, str(test["name"]), faults)
            continue
        for line, test in tests:
            said = tuple(example_faults(file, test, definitions, loaded))
            yield TestResult(file.path, line, str(test.get("name", "-")), said)


def example_faults(
    file: LoadedFile, test: dict[str, Any], definitions: Definitions, loaded: DefinitionSet
) -> Iterator[str]:
    """Run one test of a file of `loaded`, whose compiled form is `definitions`, and say what came out otherwise."""
    try:
        if isinstance(file.model, LimitFile):
            yield from _limit_faults(file.model, test)
        elif isinstance(file.model, TemplateFile):
            yield from _template_faults(file.model, test)
        elif isinstance(file.model, EvaluationFile):
            models = [each.model for each in loaded.files]
            yield from evaluation_test_faults(file.model, test, models, definitions.calendar)
        elif isinstance(file.model, StrategyFile):
            yield from strategy_test_faults(file.model, test, definitions.calendar, _reader(definitions))
        elif isinstance(file.model, ReportFile):
            yield from report_test_faults(file.model, ReportTest.model_validate(test), definitions.calendar)
        else:
            yield from _scenario_faults(test, definitions)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        yield f"the test itself is wrong: {type(error).__name__}: {error}"


def _limit_faults(file: LimitFile, test: dict[str, Any]) -> Iterator[str]:
    given: Mapping[str, Any] = test.get("given", {})
    for row in file.rows:
        is_asked = row.total if test.get("total") else row.stage == test["stage"]
        if row.process == test["process"] and is_asked and compile_condition(row.when)(given):
            if parse_duration(row.limit) != parse_duration(test["limit"]):
                yield f"the limit is {row.limit}, expected {test['limit']}"
            return
    yield "no row applies"


def _template_faults(file: TemplateFile, test: dict[str, Any]) -> Iterator[str]:
    text = file.templates[test["template"]].format(**test.get("given", {}))
    if "text" in test and text != test["text"]:
        yield f"the text is {text!r}"
    if len(text) > test.get("max_length", len(text)):
        yield f"{len(text)} characters, at most {test['max_length']}"


def _scenario_faults(test: dict[str, Any], definitions: Definitions) -> Iterator[str]:
    reference = Reference(ENTITIES)
    engine = Engine(definitions, reference)
    partition = engine.new_partition(0)
    engine.finish_recovery(partition)
    time = _reader(definitions)
    step = Step(grids=definitions.thresholds.grids)
    for change in scenario_changes(test, time, definitions.by_entity):
        if change.entity in reference.entities:
            reference.add(change)
        if change.instance:
            engine.apply(partition, [change], step)
    engine.advance(partition, time(test["until"]), step)
    engine.apply(partition, step.votes, step)
    totals = Totals()
    step.alerts += _judged_values(definitions, reference, totals, step, time(test["until"]))
    main = partition.instances.get(home_of(test, definitions.by_entity))
    raised = [a for a in step.alerts if a.event == "raised"]
    yield from _raised_faults(test, raised, time)
    yield from _open_faults(test, step.alerts)
    yield from _told_faults(test, step.notices, time)
    yield from _state_faults(test, main)
    yield from _indicator_faults(test, totals)


def _judged_values(
    definitions: Definitions, reference: Reference, totals: Totals, step: Step, until: int
) -> list[AlertEvent]:
    """Add up what a test's changes count for; give what is said of the values."""
    judge = ThresholdJudge(definitions, reference, totals)
    for delta in step.deltas:
        judge.note(totals.add(delta), delta)
    judge.advance(until)
    return judge.take_alerts()[0]


def _reader(definitions: Definitions) -> Callable[[str], int]:
    """Give the function that reads a test's times; a date alone is the end of that local day."""

    def read(text: str) -> int:
        if len(text) == len("2026-01-01"):
            midnight = definitions.calendar.start_of_day(date.fromisoformat(text))
            return definitions.calendar.end_of_day(midnight)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            msg = f"{text!r} has no zone"
            raise ValueError(msg)
        return round(moment.timestamp() * 1000)

    return read


def _raised_faults(test: dict[str, Any], raised: list[AlertEvent], time: Callable[[str], int]) -> Iterator[str]:
    only = test.get("only")
    open_alerts = [a for a in raised if only is None or a.rule in only]
    for wanted in test.get("raised", []):
        fits = [
            a
            for a in open_alerts
            if a.rule == wanted["rule"]
            and a.severity == wanted["severity"]
            and a.raised_at == time(wanted["at"])
            and wanted.get("stage", a.stage) == a.stage
            and wanted.get("says", "") in a.text
        ]
        if fits:
            open_alerts.remove(fits[0])
        else:
            yield f"{wanted['rule']} {wanted['severity']} was not raised at {wanted['at']}"
    if "raised" in test:
        for alert in open_alerts:
            yield f"{alert.rule} {alert.severity} was raised at {iso(alert.raised_at)} and is not expected"


def _told_faults(test: dict[str, Any], notices: list[Notice], time: Callable[[str], int]) -> Iterator[str]:
    """Compare the messages that are no alerts with those under `tells`, if the test asks."""
    left = [notice for notice in notices if notice.alert_id.startswith(f"{MESSAGE}:")]
    for wanted in test.get("tells", []):
        fits = [
            notice
            for notice in left
            if (notice.rule, notice.recipient.no, notice.at) == (wanted["code"], wanted["to"], time(wanted["at"]))
            and wanted.get("says", "") in notice.text
        ]
        if fits:
            left.remove(fits[0])
        else:
            yield f"{wanted['code']} was not told to {wanted['to']} at {wanted['at']}"
    for notice in left if "tells" in test else ():
        yield f"{notice.rule} was told to {notice.recipient.no} at {iso(notice.at)} and is not expected: {notice.text}"


def _open_faults(test: dict[str, Any], alerts: list[AlertEvent]) -> Iterator[str]:
    """Compare what is open in the end with the codes under `open`, if the test asks; with `only`, of those rules."""
    only = test.get("only")
    last = {alert.alert_id: alert for alert in alerts if only is None or alert.rule in only}
    still = sorted(a.rule for a in last.values() if a.event in {"raised", "reopened", "escalated", "acknowledged"})
    if sorted(test.get("open", still)) != still:
        yield f"open in the end: {still}, expected {sorted(test['open'])}"


def _state_faults(test: dict[str, Any], main: Instance | None) -> Iterator[str]:
    process = main.process if main else None
    if test.get("process", process) != process:
        yield f"the process is {process}, expected {test['process']}"
    is_over = main is not None and main.over_at is not None
    if test.get("is_over", is_over) != is_over:
        yield "it is over" if is_over else "it is not over"
    stages = sorted(v.stage or "" for v in main.visits if v.finished_at is None) if main else []
    if sorted(test.get("open_stages", stages)) != stages:
        yield f"open stages are {stages}, expected {test['open_stages']}"


def _indicator_faults(test: dict[str, Any], totals: Totals) -> Iterator[str]:
    """Give what the sums are not; `dims` names those that must be alike (`{tg: TG1}`), none: over all."""
    values = [indicator_value(key, total) for key, total in totals.rows.items()]
    for wanted in test.get("indicators", []):
        alike = [
            v
            for v in values
            if (v.indicator, v.org_no, v.date) == (wanted["code"], wanted["org_no"], wanted["date"])
            and wanted.get("dims", {}).items() <= v.dims.items()
        ]
        found = plain(sum(v.numerator for v in alike)), plain(sum(v.denominator for v in alike))
        if found != (plain(Decimal(str(wanted["numerator"]))), plain(Decimal(str(wanted["denominator"])))):
            expected = f"{wanted['numerator']} / {wanted['denominator']}"
            yield f"{wanted['code']} is {found[0]} / {found[1]}, expected {expected}"
