"""Sums of indicators are exact, and what is derived of them follows every change."""

from decimal import Decimal

from rules import Derived, Totals, indicator_value
from rules.indicator_models import Indicator
from tests.helpers.thresholds import delta

DIMS = '{"process":"line_loss","tg":"TG1"}'
OTHER = DIMS.replace("TG1", "TG2")
UNIT = '{"process":"line_loss"}'


def indicator(**fields: object) -> Indicator:
    return Indicator.model_validate({"title": "", "processes": ["line_loss"], **fields})


SHARE = indicator(code="I244", kind="share_of_values", of="I243T", band=[0, 0.1], counts="outside")
GROWN = indicator(code="I112", kind="growth", of="I243T")
SAVED = indicator(code="I246", kind="reduction", of="I243T")


def totals(*derived: Indicator) -> Totals:
    made = Totals()
    made.prepare(Derived.of(derived), ())
    return made


def add(made: Totals, numerator: str, denominator: str, date: str = "2026-03-02", dims: str = DIMS) -> None:
    made.add(delta("I243T", Decimal(numerator), Decimal(denominator), at="03-03T01:00", date=date, dims=dims))


def value(made: Totals, code: str, date: str = "2026-03-02", dims: str = UNIT) -> tuple[object, object]:
    found = indicator_value(f"{code}|3340101|{date}|{dims}", made.rows[f"{code}|3340101|{date}|{dims}"])
    return found.numerator, found.denominator


def test_sums_of_decimals_are_exact_and_written_without_idle_zeros() -> None:
    made = totals()
    for part in ("0.1000", "0.2", "99999999999.7000"):
        add(made, part, "0.5")
    assert value(made, "I243T", dims=DIMS) == (100_000_000_000, Decimal("1.5"))


def test_a_share_of_values_follows_each_value_into_its_band_and_out_of_it() -> None:
    made = totals(SHARE)
    add(made, "11", "100")
    add(made, "10", "100", dims=OTHER)
    assert value(made, "I244") == (1, 2), "ten per cent is in order"
    add(made, "-1", "0")
    assert value(made, "I244") == (0, 2)
    add(made, "0", "-100")
    assert value(made, "I244") == (0, 1), "what was supplied nothing has no rate"


def test_what_is_derived_is_brought_in_line_with_another_definition() -> None:
    made = totals(SHARE)
    add(made, "11", "100")
    made.changed = set()
    made.prepare(Derived.of([SHARE.model_copy(update={"band": (0, 0.2)})]), ())
    assert value(made, "I244") == (0, 1)
    assert made.changed == {f"I244|3340101|2026-03-02|{UNIT}"}
    made.changed = set()
    made.prepare(Derived.of([SHARE.model_copy(update={"band": (0, 0.2)})]), ())
    assert made.changed == set(), "the same again tells nothing"


def test_the_reduction_is_the_energy_saved_against_the_rate_of_a_year_ago() -> None:
    made = totals(SAVED)
    add(made, "6", "200")
    assert f"I246|3340101|2026-03-02|{DIMS}" not in made.rows
    add(made, "6", "100", date="2025-03-02")
    assert value(made, "I246", dims=DIMS) == (6, 200), "6 % of 200 less 6: three points"
    add(made, "-3", "0", date="2025-03-02")
    assert value(made, "I246", dims=DIMS) == (0, 200)
    add(made, "-3", "-100", date="2025-03-02")
    assert value(made, "I246", dims=DIMS) == (0, 0)


def test_growth_is_what_came_on_top_of_the_amount_of_a_year_ago_whichever_is_told_first() -> None:
    made = totals(GROWN)
    add(made, "500", "0")
    assert f"I112|3340101|2026-03-02|{DIMS}" not in made.rows, "without a base there is no growth"
    add(made, "400", "0", date="2025-03-02")
    assert value(made, "I112", dims=DIMS) == (100, 400)
    add(made, "-200", "0")
    assert value(made, "I112", dims=DIMS) == (-100, 400)
    add(made, "-400", "0", date="2025-03-02")
    assert value(made, "I112", dims=DIMS) == (0, 0), "and none over nothing"
