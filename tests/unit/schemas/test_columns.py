"""Values of columns: what each declared type makes of what sources write."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from schemas import LocalZone, epoch_ms, is_extreme_year
from schemas.columns import MAX_MS, MIN_MS, UnreadableDate, converter, to_bool, to_decimal, to_int, to_text
from schemas.mapping import TimestampUnit

SHANGHAI = LocalZone("Asia/Shanghai")
NINE = epoch_ms("2026-03-02T09:00:00+08:00")
NINE_AS_IF_UTC = epoch_ms("2026-03-02T09:00:00Z")


def instant(
    value: object, unit: TimestampUnit = "us", semantic: str | None = None, zone: LocalZone = SHANGHAI
) -> object:
    return converter("timestamp", zone, unit, semantic)(value)


def day_end(
    value: object, unit: TimestampUnit = "us", semantic: str | None = None, zone: LocalZone = SHANGHAI
) -> object:
    return converter("date", zone, unit, semantic)(value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T01:00:00.000000Z", "2026-03-02T01:00:00Z", "2026-03-02T01:00Z", "2026-03-02 01:00:00Z",
        "2026-03-02T09:00:00+08:00", "2026-03-02T09:00:00.000+0800", "2026-03-02 09:00:00+08",
        "2026-03-01T20:00:00-05:00", "2026-03-02T09:00:00", "2026-03-02 09:00:00.000000000", "2026-03-02 09:00",
        "2026-03-02T01:00:00.000000000Z",
    ],
)  # fmt: skip
def test_one_moment_in_many_spellings(text: str) -> None:
    assert instant(text) == NINE


@pytest.mark.parametrize(
    ("value", "unit"), [(NINE_AS_IF_UTC // 1000, "s"), (NINE_AS_IF_UTC, "ms"), (NINE_AS_IF_UTC * 1000, "us"),
                        (NINE_AS_IF_UTC * 1_000_000, "ns")],
)  # fmt: skip
def test_a_number_is_the_wall_clock_in_the_declared_unit(value: int, unit: TimestampUnit) -> None:
    assert instant(value, unit) == NINE


@pytest.mark.parametrize(
    ("value", "semantic"),
    [
        (NINE_AS_IF_UTC, "io.debezium.time.Timestamp"),
        (NINE_AS_IF_UTC * 1000, "io.debezium.time.MicroTimestamp"),
        (NINE_AS_IF_UTC * 1_000_000, "io.debezium.time.NanoTimestamp"),
        (NINE_AS_IF_UTC, "org.apache.kafka.connect.data.Timestamp"),
        ("2026-03-02T01:00:00.000000Z", "io.debezium.time.ZonedTimestamp"),
    ],
)
def test_an_embedded_schema_wins_over_the_declared_unit(value: object, semantic: str) -> None:
    assert instant(value, "s", semantic) == NINE


@pytest.mark.parametrize("semantic", ["io.debezium.time.Date", "org.apache.kafka.connect.data.Date"])
def test_a_day_in_a_timestamp_column_counts_to_its_end(semantic: str) -> None:
    assert instant(20510, semantic=semantic) == epoch_ms("2026-02-26T23:59:59.999+08:00")


@pytest.mark.parametrize("value", [20510, "2026-02-26", "2026-02-26Z", "2026-02-26T00:00:00+08:00",
                                   "2026-02-26T23:59:59.999999+08:00", "2026-02-26 10:00:00",
                                   "2026-02-25T16:00:00Z", 1_772_064_000_000_000])  # fmt: skip
def test_a_date_is_the_end_of_that_local_day(value: object) -> None:
    assert day_end(value) == epoch_ms("2026-02-26T23:59:59.999+08:00")


def test_a_date_column_stored_as_a_timestamp_is_read_by_its_schema() -> None:
    assert day_end(1_772_064_000_000, "us", "io.debezium.time.Timestamp") == epoch_ms("2026-02-26T23:59:59.999+08:00")


def test_a_date_without_time_in_a_timestamp_column_is_the_end_of_that_day() -> None:
    assert instant("2026-03-02") == epoch_ms("2026-03-02T23:59:59.999+08:00")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00.000999Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-02-02T17:24:09.279328Z", 1_770_053_049_279),
        ("2026-02-02T17:24:09.279Z", 1_770_053_049_279),
        ("2026-02-02T17:24:09.2Z", 1_770_053_049_200),
    ],
)
def test_fractions_of_a_millisecond_are_cut_off_downwards(text: str, ms: int) -> None:
    assert instant(text) == ms


@pytest.mark.parametrize(
    "text",
    ["", "尽快", "now", "2026", "2026-3-2", "2026-02-30", "2026-13-01", "2026-03-02T24:01:00Z", "2026-03-02T09:60",
     "2026-03-02x09:00:00.000000Z", "2026-03-02T09:00:00+99:00", "20260302", "2026-W10-1", "１026-03-02", "0000-00-00",
     "2026-03-02T09:00:00.000000z", "2026-02-30T09:00:00.000000Z", "2026-03-02T09:00:00,5Z"],
)  # fmt: skip
def test_what_is_no_date_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableDate):
        instant(text)
    with pytest.raises(UnreadableDate):
        day_end(text)


@pytest.mark.parametrize("text", ["2026-03-02T24:00:00+08:00", "2026-03-03T00:00:00+08:00"])
def test_the_end_of_a_day_may_be_written_as_24_00(text: str) -> None:
    assert instant(text) == epoch_ms("2026-03-03T00:00:00+08:00")


@pytest.mark.parametrize("value", ["infinity", "+Infinity", "+10000-01-01T00:00:00Z", "+294247-01-10T04:00:25.2Z",
                                   9_223_372_036_825_200_000, 10**30])  # fmt: skip
def test_plus_infinity_is_the_end_of_9999(value: object) -> None:
    assert instant(value) == MAX_MS
    assert day_end(value) == MAX_MS or is_extreme_year(int(str(day_end(value))))


@pytest.mark.parametrize("value", ["-infinity", "-0044-03-15T00:00:00Z", -9_223_372_036_832_400_000, -(10**30)])
def test_minus_infinity_is_1900(value: object) -> None:
    assert instant(value) == MIN_MS


@pytest.mark.parametrize("days", [2_147_483_647, -2_147_483_648])
def test_infinite_dates_of_postgresql_are_kept_within_bounds(days: int) -> None:
    assert is_extreme_year(int(str(day_end(days, semantic="io.debezium.time.Date"))))


@pytest.mark.parametrize("year", [1, 2, 1899, 1900, 1901, 1970, 2026, 9998, 9999])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_every_year_can_be_read_in_every_zone(year: int, zone: str) -> None:
    local = LocalZone(zone)
    for day in ("01-01", "12-31"):
        for value in (f"{year:04}-{day}", f"{year:04}-{day} 23:59:59", f"{year:04}-{day}T23:59:59.999999Z",
                      f"{year:04}-{day}T00:00:00-12:00"):  # fmt: skip
            ms = instant(value, zone=local)
            assert isinstance(ms, int)
            assert is_extreme_year(ms) == (year <= 1900 or year == 9999) or year in (1901, 9998)
            assert MIN_MS - 60_000_000_000_000 <= ms <= MAX_MS
            assert isinstance(day_end(value, zone=local), int)


@pytest.mark.parametrize(
    ("text", "extreme"), [("1900-06-01", True), ("9999-06-01", True), ("1901-02-01", False), ("9998-11-30", False),
                          ("1970-01-01", False), ("2026-03-02", False), ("0001-06-01", True)],
)  # fmt: skip
def test_extreme_years(text: str, extreme: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_extreme_year(int(str(instant(text)))) is extreme


def test_extreme_year_holds_for_the_local_year_too() -> None:
    assert is_extreme_year(epoch_ms("9999-01-01T00:00:00+08:00"))
    assert is_extreme_year(epoch_ms("1900-12-31T23:59:59-12:00"))


def test_local_zone_agrees_with_the_zone_database() -> None:
    for name in ("Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"):
        zone, local = ZoneInfo(name), LocalZone(name)
        moment = datetime(1985, 1, 1, 0, 30)  # noqa: DTZ001 - a wall clock
        while moment.year < 1993:
            expected = (moment.replace(tzinfo=zone) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
            wall = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001
            assert local.to_utc(wall) == expected
            assert local.local_day(expected) == (
                datetime.fromtimestamp(expected / 1000, zone).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
            )
            moment += timedelta(hours=7)


def test_remembered_days_of_a_zone_are_bounded() -> None:
    zone = LocalZone("Asia/Shanghai")
    for day in range(45_000):
        zone.end_of_day(day)
    assert len(zone._offsets) <= 20_000  # noqa: SLF001 - memory is the promise


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (7, "7"), (Decimal("1.50"), "1.50"), (True, "true"), (Decimal("1E+3"), "1000")]
)
def test_text(value: object, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize("value", [{}, [], {"a": 1}, Decimal("1e1000000"), Decimal("NaN")])
def test_not_text(value: object) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        to_text(value)


@pytest.mark.parametrize("value", [7, "7", "+7", "7.0", Decimal("7.0"), Decimal(7), "0007", "70e-1"])
def test_whole_number(value: object) -> None:
    assert to_int(value) == 7


@pytest.mark.parametrize(
    "value", ["", "x", "1_0", "１", "7.5", Decimal("7.5"), True, [], {}, 2**63, -(2**63) - 1, "9" * 30, "1e999", " 7"]
)
def test_not_a_whole_number(value: object) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        to_int(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.8972", "0.8972"), (2752, "2752"), (Decimal("1.50"), "1.50"), ("-0.10", "-0.10"), (".5", "0.5")],
)
def test_decimal_keeps_its_places(value: object, text: str) -> None:
    assert str(to_decimal(value)) == text


@pytest.mark.parametrize(
    "value", ["", "NaN", "Infinity", "1_0", "１", True, [], "1e9999", Decimal("1e101"), "0x10", "1,5"]
)
def test_not_a_decimal(value: object) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        to_decimal(value)


@pytest.mark.parametrize("value", [True, 1, "true", "T", "Y", "1", "yes"])
def test_true(value: object) -> None:
    assert to_bool(value) is True


@pytest.mark.parametrize("value", [False, 0, "false", "F", "N", "0", "no"])
def test_false(value: object) -> None:
    assert to_bool(value) is False


@pytest.mark.parametrize("value", [2, "", "maybe", [], Decimal(1)])
def test_neither_true_nor_false(value: object) -> None:
    with pytest.raises(ValueError, match="instead of true or false"):
        to_bool(value)
