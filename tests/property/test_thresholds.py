"""Sums and thresholds do not depend on the order in which differences come, nor on who owns them when."""

import random
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Definitions
from schemas import IndicatorDelta
from tests.helpers.thresholds import DIMS, Court, definitions, ms

START = ms("03-02T00:00")
HOUR = 3_600_000
RULES = """[
  {indicator: I121, operator: gt, value: 3, clear: 1},
  {indicator: I122, operator: lt, value: 0.5},
  {indicator: I122, operator: outside, value: 0.3, compare: last_period, trigger: edge},
  {indicator: I123, operator: gt, value: 5, window: {events: 3, time: 2h}},
]"""
DAILY = '{frequency: daily, at: "08:00"}'


@lru_cache
def rules() -> Definitions:
    with TemporaryDirectory() as folder:
        return definitions(Path(folder), RULES.replace("\n", " "))


@lru_cache
def daily() -> Definitions:
    with TemporaryDirectory() as folder:
        judged = RULES.replace("\n", " ").replace(", window: {events: 3, time: 2h}", "")
        return definitions(Path(folder), judged, DAILY)


amounts = st.integers(-3, 9) | st.decimals(-3, 9, places=2)
differences = st.lists(
    st.builds(
        lambda code, org, day, hours, n, d: IndicatorDelta(
            code, org, "" if code == "I121" else f"2026-03-0{day}", DIMS, n, 0 if code == "I121" else d,
            START + int(hours * HOUR),
        ),
        st.sampled_from(["I121", "I122", "I123"]), st.sampled_from(["3340101", "3340102"]), st.integers(1, 4),
        st.integers(0, 96) | st.floats(0, 96), amounts, st.integers(0, 3),
    ),
    max_size=30,
)  # fmt: skip
seeds = st.integers(0, 1 << 30)
UNTIL = START + 120 * HOUR


def judged(court: Court, found: list[IndicatorDelta], rng: random.Random, *, dies: bool) -> Court:
    """Let differences come in any order that keeps their clock's word, from an owner that may change."""
    waiting = found[:]
    rng.shuffle(waiting)
    clock = START - HOUR
    while waiting:
        taken = waiting[: rng.randint(1, 4)]
        waiting = waiting[len(taken) :]
        court.take(taken)
        reached = min([UNTIL, *(each.at - 1 for each in waiting)])
        if reached > clock and rng.random() < 0.7:
            clock = rng.randint(clock, reached)
            court.until(clock)
            if dies and rng.random() < 0.4:
                court = court.recovered()
    court.until(UNTIL)
    return court


@settings(deadline=None, max_examples=60)
@given(differences, seeds)
def test_any_order_and_any_change_of_owner_say_the_same(found: list[IndicatorDelta], seed: int) -> None:
    rng = random.Random(seed)
    for made in (rules(), daily()):
        in_order = Court(made)
        in_order.take(sorted(found, key=lambda each: each.at))
        in_order.until(UNTIL)
        shuffled = judged(Court(made), found, rng, dies=True)
        assert shuffled.alerts == in_order.alerts
        assert shuffled.kept == in_order.kept
        assert {k: (t.numerator, t.denominator) for k, t in shuffled.totals.rows.items()} == {
            k: (t.numerator, t.denominator) for k, t in in_order.totals.rows.items()
        }


@settings(deadline=None, max_examples=60)
@given(differences, seeds)
def test_what_is_open_in_the_end_is_what_the_final_sums_say(found: list[IndicatorDelta], seed: int) -> None:
    court = judged(Court(daily()), found, random.Random(seed), dies=False)
    last = {alert.alert_id: alert for alert in court.alerts}
    still = {a.instance for a in last.values() if a.event != "cleared" and "低于0.5" in a.text}
    bad = set()
    for key, total in court.totals.rows.items():
        code, org, date, _ = key.split("|", 3)
        if code == "I122" and total.denominator > 0 and Decimal(total.numerator) / total.denominator < Decimal("0.5"):
            bad.add(f"org:{org}:{date}")
    assert still == {name for name in bad if name[-10:] < "2026-03-06"}
