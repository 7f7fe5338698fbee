"""The flow that really was: what is measured of cases, one fact at a time."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import quantiles
from typing import Any
from xml.etree import ElementTree as ET

import chinese_calendar
import pytest

from rules.flow import By, Case, Deviation, Flow, History, Kind, State, Waiting, WorkTime, draw_flow
from rules.flow.spread import HOUR_MS, Lengths, percentile
from tests.helpers.builders import MONDAY, SHANGHAI, World, ms, shipped
from tests.helpers.flow_lives import changes_of, lives

HV = "hv_connection"
AT = "2026-03-31T09:00"
MAIN_WAY = (
    "ACCEPT", "SURVEY", "SCHEME", "DESIGN", "DESIGN_REVIEW", "BUILD", "TEST", "COMPLETE", "CONNECT", "ARCHIVE",
)  # fmt: skip


class Told(World):
    """A world whose changes also make a history."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history = History(self.definitions, self.definitions.processes[HV])

    def feed(self, *args: Any, **kwargs: Any) -> Any:
        change = super().feed(*args, **kwargs)
        if self.history.wants(change.entity):
            self.history.take(change)
        return change

    def past(self, stage: str, entered: str, finished: str | None = None, **fields: Any) -> None:
        """A visit that is told as a whole."""
        self.visit(stage, entered_at=entered, finished_at=finished, **fields)

    def cases(self) -> list[Case]:
        return list(self.history.cases())

    def flow(self, at: str = AT) -> Flow:
        flow = Flow(self.history.process, ms(at), longest=5)
        for case in self.history.cases():
            flow.add(case)
        return flow

    def deviations(self) -> list[tuple[Kind, str, str | None]]:
        return [(each.kind, each.stage, each.other) for each in self.flow().conformance.deviations]

    def deviation(self) -> Deviation:
        (found,) = self.flow().conformance.deviations
        return found


def told_by_rows(*rows: tuple[str, dict[str, Any]]) -> Flow:
    """A reconnection whose stages no progress row tells; entities in the order of their rows."""
    world, process = World(), shipped().processes["reconnection"]
    history = History(shipped(), process)
    for number, (entity, fields) in enumerate(rows):
        change = world.row(entity, f"R{number}", "reconnection:C1", **fields)
        if history.wants(entity):
            history.take(change)
    flow = Flow(process, ms(AT), longest=5)
    for case in history.cases():
        flow.add(case)
    return flow


@pytest.fixture
def told() -> Told:
    world = Told()
    world.app(status_code="running")
    return world


def archived(*, without: tuple[str, ...] = ()) -> Told:
    """An application that went as defined, a day a stage."""
    world = Told()
    world.app()
    for day, stage in enumerate(MAIN_WAY, start=2):
        if stage not in without:
            world.past(stage, f"2026-03-{day:02d}T09:00", f"2026-03-{day:02d}T17:00", result="ok")
    world.app(op="u", archived_at="2026-03-12T09:00", status_code="archived")
    return world


# -- lengths of time


def _hour_by_hour(begin: str, end: str, suspended: tuple[str, str] | None = None) -> float:
    """Count working hours one by one, by the package's own function."""
    moment, hours = datetime.fromtimestamp(ms(begin) / 1000, UTC), 0
    while moment < datetime.fromtimestamp(ms(end) / 1000, UTC):
        at = moment.timestamp() * 1000
        is_suspended = suspended is not None and ms(suspended[0]) <= at < ms(suspended[1])
        hours += chinese_calendar.is_workday(moment.astimezone(SHANGHAI).date()) and not is_suspended
        moment += timedelta(hours=1)
    return hours


@pytest.mark.parametrize(
    ("begin", "end", "suspended"),
    [
        ("2026-03-02T09:00", "2026-03-02T11:00", None),
        ("2026-03-06T17:00", "2026-03-09T09:00", None),  # over a weekend
        ("2026-03-07T10:00", "2026-03-08T10:00", None),  # within one
        ("2026-02-13T09:00", "2026-03-02T09:00", None),  # the spring festival and its make-up days
        ("2026-03-02T09:00", "2026-03-12T09:00", ("2026-03-04T12:00", "2026-03-09T12:00")),
        ("2026-03-02T09:00", "2026-03-12T09:00", ("2026-02-20T12:00", "2026-03-20T12:00")),
    ],
)
def test_working_time_is_what_an_hour_by_hour_count_gives(
    begin: str, end: str, suspended: tuple[str, str] | None
) -> None:
    spans = [(ms(suspended[0]), ms(suspended[1]))] if suspended else []
    worked = WorkTime(shipped().calendar).between(ms(begin), ms(end), [*spans, *spans])
    assert worked / HOUR_MS == _hour_by_hour(begin, end, suspended)


def test_time_that_runs_backwards_is_none() -> None:
    assert WorkTime(shipped().calendar).between(ms("2026-03-03T09:00"), ms("2026-03-02T09:00")) == 0


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_percentiles_are_those_of_the_standard_library(count: int) -> None:
    values = sorted(n * n % 97 for n in range(count))
    cuts = quantiles(values, n=100, method="inclusive")
    assert [percentile(values, p) for p in (50, 90, 95)] == pytest.approx([cuts[p - 1] for p in (50, 90, 95)])


def test_nothing_has_no_spread() -> None:
    assert Lengths().spread().count == Lengths().spread().p95 == 0


# -- durations


def test_a_stage_lasts_without_its_suspension(told: Told) -> None:
    told.past("SURVEY", MONDAY, "2026-03-12T09:00", suspend_from="2026-03-04T12:00", suspend_to="2026-03-09T12:00")
    (row,) = told.flow().durations.rows(By.STAGE)
    span = ("2026-03-04T12:00", "2026-03-09T12:00")
    assert (row.stage, row.title, row.worked_h.median) == (
        "SURVEY",
        "现场勘查",
        _hour_by_hour(MONDAY, "2026-03-12T09:00", span),
    )
    assert row.workdays.median == 4  # the 3rd, 10th, 11th, 12th


def test_durations_are_told_by_unit_and_handler(told: Told) -> None:
    told.past("SURVEY", MONDAY, "2026-03-03T09:00", handler="H1")
    told.app("A2", org_no="3340102")
    told.visit("SURVEY", "A2", entered_at=MONDAY, finished_at="2026-03-05T09:00", handler="H1")
    told.visit("SURVEY", "A2", visit=2, entered_at="2026-03-06T09:00", handler="H2")
    durations = told.flow().durations
    assert [(r.who, r.worked_h.median, r.share) for r in durations.rows(By.UNIT)] == [
        ("3340102", 72.0, 0.75), ("3340101", 24.0, 0.25),
    ]  # fmt: skip
    assert [(r.who, r.worked_h.count, r.open) for r in durations.rows(By.HANDLER)] == [("H1", 2, 0), ("H2", 0, 1)]


def test_a_visit_that_ended_before_it_began_has_no_length(told: Told) -> None:
    told.past("SURVEY", MONDAY, "2026-03-01T09:00")
    (row,) = told.flow().durations.rows(By.STAGE)
    assert (row.worked_h.count, row.open) == (0, 0)


# -- what follows what


def test_stages_are_in_order_of_entry_whatever_order_their_news_had(told: Told) -> None:
    told.past("DESIGN", "2026-03-09T09:00")
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("SCHEME", "2026-03-03T09:00", "2026-03-06T09:00")
    told.past("SURVEY", "2026-03-03T09:00", "2026-03-04T09:00")  # at the same moment: as defined
    flow = told.flow()
    assert [v.stages for v in flow.variants.rows()] == [("ACCEPT", "SURVEY", "SCHEME", "DESIGN")]
    rows = {(r.source, r.target): r for r in flow.follows.rows()}
    assert rows["SURVEY", "SCHEME"].overlapping == 1
    assert rows["SURVEY", "SCHEME"].wait_h.count == 0
    assert rows["SCHEME", "DESIGN"].wait_h.median == _hour_by_hour("2026-03-06T09:00", "2026-03-09T09:00")


def test_a_way_back_is_told_with_its_rejection_and_whether_it_is_defined() -> None:
    told = Told()
    told.app()
    for number in (1, 2):
        told.past("DESIGN", f"2026-03-0{number * 2}T09:00", f"2026-03-0{number * 2}T10:00", visit=number)
        result = "rejected" if number == 1 else "ok"
        told.past(
            "DESIGN_REVIEW",
            f"2026-03-0{number * 2 + 1}T09:00",
            f"2026-03-0{number * 2 + 1}T10:00",
            visit=number,
            result=result,
        )
    told.past("SCHEME", "2026-03-06T09:00")
    flow = told.flow()
    back = {(r.source, r.target): (r.is_defined_back, r.after_rejection) for r in flow.follows.rows() if r.is_back}
    assert back == {("DESIGN_REVIEW", "DESIGN"): (True, 1), ("DESIGN_REVIEW", "SCHEME"): (False, 0)}
    rows = {r.stage: r for r in flow.reworks.rows()}
    assert (rows["DESIGN_REVIEW"].rejected, rows["DESIGN"].repeats, rows["DESIGN"].most) == (1, 1, 2)
    assert rows["DESIGN"].repeated_h == 1.0


def test_a_first_record_that_is_numbered_two_is_a_repeat(told: Told) -> None:
    told.past("SURVEY", MONDAY, visit=2)
    (row,) = told.flow().reworks.rows()
    assert (row.repeats, row.most) == (1, 1)


# -- waiting now


def test_instances_wait_in_a_stage_suspended_or_between_two() -> None:
    told = Told()
    for key in ("A1", "A2", "A3", "A4"):
        told.app(key, at=MONDAY)
    told.visit("SURVEY", "A1", entered_at=MONDAY, handler="H1")
    told.visit("SURVEY", "A2", entered_at=MONDAY, suspend_from="2026-03-03T09:00")
    told.visit("ACCEPT", "A3", entered_at=MONDAY, finished_at="2026-03-04T09:00")
    flow = told.flow("2026-03-05T09:00")
    standing = {(r.stage, r.state): r.waited_h.median for r in flow.waits.rows()}
    assert standing == {
        ("SURVEY", State.OPEN): 72.0, ("SURVEY", State.SUSPENDED): 48.0, ("ACCEPT", State.BETWEEN): 24.0,
        (None, State.BETWEEN): 72.0,
    }  # fmt: skip
    longest = flow.waits.longest()
    assert [(r.instance, r.handler) for r in longest if r.stage] == [("A1", "H1"), ("A2", None), ("A3", None)]


def test_who_has_ended_waits_nowhere() -> None:
    assert archived().flow().waits.rows() == []


def test_an_instance_at_two_stages_waits_at_both(told: Told) -> None:
    told.past("SURVEY", MONDAY)
    told.past("SCHEME", MONDAY)
    rows: list[Waiting] = told.flow().waits.rows()
    assert sorted(str(r.stage) for r in rows) == ["SCHEME", "SURVEY"]


# -- conformance


def test_a_life_as_defined_conforms() -> None:
    fitness = archived().flow().conformance.fitness()
    assert (fitness.fitness, fitness.steps, fitness.conforming) == (1.0, 10, 1)


def test_a_stage_entered_before_its_predecessor_ended_breaks_the_order(told: Told) -> None:
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("SCHEME", "2026-03-03T09:00", "2026-03-05T09:00")
    told.past("DESIGN", "2026-03-04T09:00")
    found = told.deviation()
    assert (found.kind, found.rule, found.stage, found.other) == (Kind.ORDER_BROKEN, "R-T18", "DESIGN", "SCHEME")
    assert (found.instance, found.org_no, found.at) == ("A1", "3340101", ms("2026-03-04T09:00"))
    assert [place.offset for place in found.evidence] == [4, 3]  # the stage's own row, and its predecessor's
    assert told.flow().conformance.fitness().fitness == round(2 / 3, 4)


def test_late_news_of_an_end_in_time_is_no_deviation(told: Told) -> None:
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("SCHEME", "2026-03-03T09:00")
    told.past("DESIGN", "2026-03-05T10:00", at="2026-03-05T10:00")
    assert told.raised("R-T18") != []
    told.visit("SCHEME", op="u", at="2026-03-06T09:00", entered_at="2026-03-03T09:00", finished_at="2026-03-05T09:00")
    assert told.deviations() == []


def test_a_stage_without_record_is_missed_once_what_follows_was_entered() -> None:
    found = archived(without=("SCHEME",)).deviation()
    assert (found.kind, found.rule, found.stage, found.other) == (Kind.STEP_WITHOUT_RECORD, "A13", "SCHEME", "DESIGN")


def test_an_end_without_the_record_of_its_stages_misses_them() -> None:
    world = archived(without=("ARCHIVE", "CONNECT"))
    kinds = world.deviations()
    assert kinds == [(Kind.STEP_WITHOUT_RECORD, "CONNECT", None), (Kind.STEP_WITHOUT_RECORD, "ARCHIVE", None)]
    assert all(each.evidence[0].topic == "cdc.application" for each in world.flow().conformance.deviations)


def test_an_optional_stage_is_never_missed() -> None:
    assert not {"RESERVE", "SUPERVISE", "MID_INSPECT"} & {stage for _, stage, _ in archived().deviations()}


def test_a_result_without_the_time_of_entry_has_no_step_log(told: Told) -> None:
    told.visit("SURVEY", entered_at=None, finished_at=MONDAY, result="ok")
    found = told.deviation()
    assert (found.kind, found.rule, found.stage, found.at) == (Kind.RESULT_WITHOUT_LOG, "A13", "SURVEY", ms(MONDAY))


def test_a_result_that_only_another_system_tells_has_no_step_log(told: Told) -> None:
    told.row("visit@lean", "A1|ACCEPT|1", "A1", stage="ACCEPT", visit=1, finished_at=MONDAY, result="ok")
    told.row("visit@lean", "A1|SURVEY|1", "A1", stage="SURVEY", visit=1, finished_at=None, result=None)
    assert told.deviations() == [(Kind.RESULT_WITHOUT_LOG, "ACCEPT", None)]
    told.past("SURVEY", "2026-03-03T09:00")
    assert told.deviations() == [(Kind.RESULT_WITHOUT_LOG, "ACCEPT", None)]  # it is not missed besides
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    assert told.deviations() == []


def test_a_return_without_rejection_is_undefined(told: Told) -> None:
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("SURVEY", "2026-03-03T09:00", "2026-03-04T09:00")
    told.past("SURVEY", "2026-03-05T09:00", "2026-03-06T09:00", visit=2)
    assert told.deviations() == [(Kind.UNDEFINED_RETURN, "SURVEY", None)]


def test_a_stage_that_may_be_repeated_needs_no_rejection(told: Told) -> None:
    process = told.history.process
    survey = process.stages["SURVEY"].model_copy(update={"repeats": True})
    told.history.process = dataclasses.replace(process, stages={**process.stages, "SURVEY": survey})
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("SURVEY", "2026-03-03T09:00", "2026-03-04T09:00")
    told.past("SURVEY", "2026-03-05T09:00", "2026-03-06T09:00", visit=2)
    assert told.deviations() == []


def test_an_unknown_stage_is_shown_and_counted(told: Told) -> None:
    told.past("ACCEPT", MONDAY, "2026-03-03T09:00")
    told.past("<X&>", "2026-03-03T09:00")
    assert told.deviations() == [(Kind.UNKNOWN_STAGE, "<X&>", None)]
    assert "<X&>" in [r.stage for r in told.flow().durations.rows(By.STAGE)]
    assert "&lt;X&amp;&gt;" in draw_flow(told.flow())


# -- cases


def test_another_process_and_rows_without_application_are_no_cases() -> None:
    told = Told()
    told.lv_app("A1")
    told.visit("ACCEPT", "A2")
    assert told.cases() == []
    assert told.history.orphans() == 1


def test_an_application_that_changes_its_class_changes_its_process(told: Told) -> None:
    told.app(op="u", volt_class="LV")
    assert told.cases() == []


def test_a_deleted_visit_is_none_even_if_its_delete_names_no_application(told: Told) -> None:
    told.past("SURVEY", MONDAY)
    told.delete("visit", "A1-SURVEY-1")
    (case,) = told.cases()
    assert case.events == ()
    assert told.flow().totals.without_events == 1


def test_a_row_that_moves_to_another_application_leaves_the_first(told: Told) -> None:
    told.past("SURVEY", MONDAY)
    told.app("A2")
    moved = told.visit("SURVEY", "A2", row="A1-SURVEY-1", op="u")
    told.history.take(type(moved)(**{**{n: getattr(moved, n) for n in moved.__struct_fields__}, "left": "A1"}))
    assert {case.key: case.stages for case in told.cases()} == {"A1": (), "A2": ("SURVEY",)}


def test_fields_of_other_rows_tell_a_stage_if_the_definition_says_so() -> None:
    flow = told_by_rows(
        ("restore_account", {"cons_no": "C1"}),
        ("settlement", {"paid_at": "2026-03-02T09:00"}),
        ("restore_command", {"sent_at": "2026-03-02T09:02", "ack_at": "2026-03-02T09:03"}),
        ("restore_command", {"sent_at": "2026-03-02T09:05", "ack_at": "2026-03-02T09:06"}),
        ("bill", {"paid_at": "2026-03-01T09:05"}),  # says nothing of a reconnection
    )
    taken = {row.stage: (row.worked_h.count, row.open, row.worked_h.median) for row in flow.durations.rows(By.STAGE)}
    assert taken == {"SETTLE": (1, 0, 0.0), "ORDER": (1, 0, 0.03), "COMMAND": (2, 0, 0.02), "TELL": (0, 1, 0.0)}
    assert flow.totals.events == 5
    assert flow.conformance.deviations[0].kind is Kind.UNDEFINED_RETURN  # the command was sent twice


# -- the picture


def test_the_picture_is_well_formed_and_has_every_stage_and_every_way_taken() -> None:
    process = shipped().processes[HV]
    history = History(shipped(), process)
    for change in changes_of(lives(3, 60)):
        history.take(change)
    flow = Flow(process, 0, longest=0)
    for case in history.cases():
        flow.add(case)
    root = ET.fromstring(draw_flow(flow))
    ids = {each.get("id") for each in root.iter("{http://www.w3.org/2000/svg}g")}
    assert ids == set(process.stages)
    ways = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("class") in {"edge", "back"}]
    assert len(ways) == sum(row.count >= 0.01 * 60 for row in flow.follows.rows())


def test_nothing_at_all_has_a_picture() -> None:
    ET.fromstring(draw_flow(Told().flow()))


def test_workdays_of_2026_are_those_of_the_package() -> None:
    """What the hour-by-hour count rests on: a day is worked or not, by the same notices."""
    calendar = shipped().calendar
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [calendar.is_workday(day) for day in days] == [chinese_calendar.is_workday(day) for day in days]
    assert all(b - a == timedelta(days=1) for a, b in pairwise(days))
