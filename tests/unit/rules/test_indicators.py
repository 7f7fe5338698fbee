"""Indicators: sums of differences that equal a count from the final state after anything that happens."""

from collections import Counter

import pytest

from rules.engine.deadlines import suspended
from tests.helpers.builders import World, ms, sums
from tests.helpers.recount import DAY, day_of, is_workday, midnight, workdays_after
from tests.property.test_engine import UNTIL, Shell, changes_of

MONDAY, DATE = "2026-03-02T09:00", "2026-03-02"


def test_accepted_applications_and_their_capacity() -> None:
    w = World()
    w.app("A1", apply_cap_kva=500)
    w.lv_app("A2", apply_cap_kva=8)
    assert (w.indicator("I111", DATE), w.indicator("I111C", DATE)) == ((2, 0), (508, 0))


def test_a_late_correction_repairs_a_past_day() -> None:
    w = World()
    w.app("A1", apply_cap_kva=500)
    w.app("A1", op="u", at="2026-04-01T09:00", accepted_at="2026-03-01T09:00", apply_cap_kva=400)
    assert (w.indicator("I111C", DATE), w.indicator("I111C", "2026-03-01")) == ((0, 0), (400, 0))


def test_schemes_in_hand_rise_and_fall() -> None:
    w = World()
    w.app()
    w.visit("SCHEME", row="V")
    assert w.indicator("I121") == (1, 0)
    w.visit("SCHEME", row="V", op="u", entered_at=MONDAY, finished_at="2026-03-04T09:00")
    assert w.indicator("I121") == (0, 0)
    w.visit("SCHEME", row="V", op="u", entered_at=MONDAY)
    assert w.indicator("I121") == (1, 0)
    w.app(op="u", accepted_at=MONDAY, archived_at=MONDAY)
    assert w.indicator("I121") == (0, 0)


@pytest.mark.parametrize(("finished", "on_time"), [("2026-03-24T00:00", 1), ("2026-03-24T00:00:00.001", 0)])
def test_a_scheme_is_in_time_up_to_its_deadline(finished: str, on_time: int) -> None:
    w = World()
    w.app()
    w.visit("SCHEME", at=finished, entered_at=MONDAY, finished_at=finished)
    assert w.indicator("I122", "2026-03-24") == (on_time, 1)


def test_the_mean_counts_net_workdays() -> None:
    w = World()
    w.app()
    w.visit("SCHEME", finished_at="2026-03-09T09:00", suspend_from="2026-03-04T09:00", suspend_to="2026-03-05T09:00")
    assert w.indicator("I123", "2026-03-09") == (3, 1)


def test_scheme_alerts_are_counted_by_level() -> None:
    w = World()
    w.app()
    w.visit("SCHEME")
    w.until("2026-04-01T00:00")
    assert w.indicator("I124", "2026-03-19", '"WARN"') == (1, 0)
    assert w.indicator("I124", "2026-03-24", '"ALARM"') == (1, 0)


def test_connected_and_archived_are_counted_on_their_day() -> None:
    w = World()
    w.app()
    w.visit("CONNECT", finished_at=MONDAY)
    w.app(op="u", accepted_at=MONDAY, archived_at=MONDAY)
    assert (w.indicator("I151", DATE), w.indicator("I161", DATE)) == ((1, 0), (1, 0))


def test_a_changed_unit_moves_all_it_contributes() -> None:
    w = World()
    w.app(apply_cap_kva=5)
    w.visit("CONNECT", finished_at=MONDAY)
    w.app(op="u", accepted_at=MONDAY, org_no="33402", apply_cap_kva=5)
    assert {key[1] for key in sums(w.steps)} == {"33402"}


def test_an_application_without_capacity_counts_as_one_of_none() -> None:
    w = World()
    w.app(apply_cap_kva=None)
    assert (w.indicator("I111", DATE), w.indicator("I111C", DATE)) == ((1, 0), (0, 0))


def net_workdays(start: int, end: int, spans: list[tuple[int, int]]) -> int:
    """Count day by day."""
    day, count = day_of(start), 0
    while midnight(day) + DAY <= midnight(day_of(end)):
        day = day_of(midnight(day) + DAY + DAY // 2)
        is_held = any(a < b and a < midnight(day) + DAY and b > midnight(day) for a, b in spans)
        count += is_workday(day) and not is_held
    return count


def recounted(shell: Shell) -> Counter[tuple[str, str, str]]:
    """Count a few indicators from the final instances alone."""
    found: Counter[tuple[str, str, str]] = Counter()
    for instance in shell.partitions[0].instances.values():
        if (
            instance.main is None
            or instance.main.is_deleted
            or instance.process not in {"hv_connection", "lv_connection"}
        ):
            continue
        fields = instance.main.fields
        for code, name in (("I111", "accepted_at"), ("I161", "archived_at")):
            if fields.get(name) is not None:
                found[code, str(day_of(int(str(fields[name])))), instance.process] += 1
        for visit in instance.visits:
            if visit.is_deleted:
                continue
            finished, entered = visit.finished_at, visit.entered_at
            if finished is None:
                found["I121", "", instance.process] += visit.stage == "SCHEME" and instance.over_at is None
                continue
            day, spans = str(day_of(finished)), list(suspended(visit) or ())
            found["I151", day, instance.process] += visit.stage == "CONNECT"
            if visit.stage == "SCHEME" and entered is not None:
                found["I123", day, instance.process] += net_workdays(entered, finished, spans)
            if visit.stage == "DESIGN_REVIEW" and instance.process == "hv_connection" and entered is not None:
                found["I131", day, instance.process] += finished <= workdays_after(entered, 10, spans)
    return +found


@pytest.mark.parametrize("seed", range(500, 512))
def test_sums_equal_a_count_from_the_final_state(seed: int) -> None:
    shell = Shell().feed(changes_of(seed, 25)).advance(UNTIL)
    codes = {"I111", "I121", "I123", "I131", "I151", "I161"}
    found: Counter[tuple[str, str, str]] = Counter()
    for (code, _, date, dims), (numerator, _) in sums(shell.steps).items():
        if code in codes:
            found[code, date, dims.split('"')[3]] += int(numerator)
    assert +found == recounted(shell)
    assert ms(MONDAY) < UNTIL
