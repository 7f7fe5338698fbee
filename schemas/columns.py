"""One column's value as the source wrote it, to the canonical value of its declared type.

Called by `schemas.decode` for every column of every record, so the usual shapes come first. Nothing here
knows records or dialects; a dialect names a semantic type (Debezium's schema names) where it has one.

Every function that `converter` gives raises `UnreadableDate` or another `ValueError` or `ArithmeticError`
for what does not fit, and never anything else.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from schemas.change import Value
from schemas.debezium import variable_decimal
from schemas.mapping import ColumnType, TimestampUnit

Convert = Callable[[object], Value]

MIN_MS = -2_208_988_800_000
"""1900-01-01T00:00:00Z: what minus infinity, and years that no calendar here can hold, become."""
MAX_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: what plus infinity and later years become."""

_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_YEAR_ONE_MS = -62_135_596_800_000
_INT64 = 1 << 63
_MAX_EXPONENT = 100  # decimals beyond 10**100 are no amounts of anything, and printing them could fill memory

# One day of margin, so that the answer holds for the local year in every time zone.
_EXTREME_BELOW = -2_177_452_800_000 + _DAY_MS
_EXTREME_FROM = 253_370_764_800_000 - _DAY_MS

_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\.(?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_FAR = re.compile(
    r"(?:\+?\d{5,}|-\d{4,})-\d{2}-\d{2}(?:[T ][0-9:.]+)?(?:Z|[+-][0-9:]+)?|[+-]?infinity",
    re.ASCII | re.IGNORECASE,
)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)
_COLON = re.compile(r"\d{4}-\d{2}-\d{2}:\d{2}:", re.ASCII)
_DIGITS = re.compile(r"-?\d{1,19}", re.ASCII)
_TRUE, _FALSE = {"true", "t", "yes", "y", "1", "on"}, {"false", "f", "no", "n", "0", "off"}

_PER_UNIT: dict[TimestampUnit, tuple[int, int]] = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
"""Multiply, then divide (rounding down), to get milliseconds."""


class UnreadableDate(ValueError):
    """Text or number where a date is declared, and it is none."""


def is_extreme_year(ms: int) -> bool:
    """Tell whether a time lies in 1900 or before, or in 9999: a placeholder for "never" or "unknown".

    Such a time is kept (contract, section 9: a finding), but no calendar should be asked about it: adding a
    workday or a time zone to it can leave the years that `datetime` holds.
    """
    return not _EXTREME_BELOW <= ms < _EXTREME_FROM


class LocalZone:
    """A time zone as whole-millisecond arithmetic: wall clock to instant and back, without `datetime` per value.

    Offsets are looked up once per day and remembered; days on which the clocks change are looked up every time.
    A wall clock that occurs twice is the first of both, one that never occurs is read with the offset before.
    """

    _REMEMBERED_DAYS = 20_000  # 55 years

    def __init__(self, name: str) -> None:
        """Take an IANA name. Raises `ZoneInfoNotFoundError` or `ValueError` for an unknown one."""
        self._zone = ZoneInfo(name)
        self.is_utc = name in ("UTC", "Etc/UTC")
        self._offsets: dict[int, int | None] = {}

    def to_utc(self, wall_ms: int) -> int:
        """Give the instant at which clocks there show `wall_ms` (epoch ms, as if the wall clock were UTC)."""
        day = wall_ms // _DAY_MS
        try:
            offset = self._offsets[day]
        except KeyError:
            offset = self._remember(day)
        if offset is None:
            offset = self._offset_at(wall_ms)
        return _clamp(wall_ms - offset)

    def local_day(self, ms: int) -> int:
        """Give the local date of an instant, as days since 1970-01-01."""
        moment = _EPOCH + timedelta(milliseconds=_clamp(ms))
        try:
            return moment.astimezone(self._zone).toordinal() - _EPOCH_DAY
        except (OverflowError, ValueError):  # the last or first day that datetime can hold
            return ms // _DAY_MS

    def end_of_day(self, day: int) -> int:
        """Give the last millisecond of the local date `day` (days since 1970-01-01), epoch ms: how a date is kept.

        So its local date is right for all who ask; who counts by the clock takes it for 24:00
        (`rules.workdays.WorkCalendar.by_clock`).
        """
        return self.to_utc((day + 1) * _DAY_MS) - 1

    def _remember(self, day: int) -> int | None:
        first, last = self._offset_at(day * _DAY_MS), self._offset_at((day + 1) * _DAY_MS)
        if len(self._offsets) >= self._REMEMBERED_DAYS:
            self._offsets.clear()
        self._offsets[day] = first if first == last else None
        return self._offsets[day]

    def _offset_at(self, wall_ms: int) -> int:
        bounded = min(max(wall_ms, _YEAR_ONE_MS + 2 * _DAY_MS), MAX_MS - 2 * _DAY_MS)
        wall = (_EPOCH + timedelta(milliseconds=bounded)).replace(tzinfo=self._zone)
        offset = wall.utcoffset()
        return 0 if offset is None else offset // timedelta(milliseconds=1)


def _clamp(ms: int) -> int:
    if ms > MAX_MS:
        return MAX_MS
    return MIN_MS if ms < _YEAR_ONE_MS else ms


def converter(column: ColumnType, zone: LocalZone, unit: TimestampUnit, semantic: str | None = None) -> Convert:
    """Give the function that turns a raw JSON value (never None) into the canonical value of `column`.

    `semantic` is the name of the record's embedded schema for this column (`io.debezium.time.Timestamp`, ...),
    which wins over `unit`; None where there is none.
    """
    match column:
        case "text":
            return to_text
        case "int":
            return to_int
        case "decimal":
            return to_decimal
        case "bool":
            return to_bool
        case "timestamp":
            moment = _Moment(zone, unit, semantic)
            return moment.to_utc_instant if zone.is_utc and semantic not in DAY_SEMANTICS else moment.to_instant
        case "date":
            return _Moment(zone, unit, semantic).to_end_of_day
        case _:
            assert_never(column)


def from_loose_text(convert: Convert) -> Convert:
    """Put before a time's conversion what GoldenGate, Canal and Maxwell write that is no ISO 8601.

    A colon between date and time (`2017-12-06:17:27:20.4`), digits alone (`20120814151900`, `20120814`; any other
    count of digits is a number in the column's unit), and MySQL's zero date, which means that there is none.
    """

    def read(value: object) -> Value:
        if type(value) is str:
            if _COLON.match(value):
                value = f"{value[:10]} {value[11:]}"
            elif value.startswith("0000-00-00"):
                return None
            elif _DIGITS.fullmatch(value):
                return convert(_spelt_out(value) if len(value) in (8, 14) else int(value))
        return convert(value)

    return read


def _spelt_out(digits: str) -> str:
    """Give `YYYYMMDD[hhmmss]` as ISO 8601."""
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day} {digits[8:10]}:{digits[10:12]}:{digits[12:]}" if digits[8:] else day


def to_text(value: object) -> str:
    """Give text; numbers and truth values as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(_bounded(value), "f")
    if isinstance(value, dict):
        return to_text(_from_object(value, "text"))
    raise ValueError(f"{_kind(value)} instead of text")


def to_int(value: object) -> int:
    """Give a whole number of 64 bits."""
    if type(value) is int:
        number = value
    elif isinstance(value, str) and _DECIMAL.fullmatch(value):  # also "12.0": Oracle's NUMBER as a string
        return to_int(Decimal(value))
    elif isinstance(value, Decimal) and _bounded(value) == value.to_integral_value():
        number = int(value)
    elif isinstance(value, dict):
        return to_int(_from_object(value, "a whole number"))
    else:
        raise ValueError(f"{_kind(value)} instead of a whole number")
    if not -_INT64 <= number < _INT64:
        raise ValueError("a whole number of more than 64 bits")
    return number


def to_decimal(value: object) -> Decimal:
    """Give an exact decimal, with the places that the source wrote. Not a number and infinity do not fit."""
    if type(value) is int:
        return Decimal(value) if -_INT64 <= value < _INT64 else _bounded(Decimal(value))
    if isinstance(value, Decimal):
        return _bounded(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return _bounded(Decimal(value))
    if isinstance(value, dict):
        return _bounded(_from_object(value, "a number"))
    raise ValueError(f"{_kind(value)} instead of a number")


def to_bool(value: object) -> bool:
    """Give a truth value: JSON's own, 0 and 1, or the usual words."""
    if isinstance(value, bool):
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError(f"{_kind(value)} instead of true or false")


def _from_object(value: dict[str, Any], wanted: str) -> Decimal:
    """Give the one object that is a number: Oracle's NUMBER without a scale, as Debezium writes it."""
    try:
        return variable_decimal(value)
    except ValueError:
        raise ValueError(f"an object instead of {wanted}") from None


def _bounded(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT:
        raise ValueError("not a finite number of sensible size")
    return value


def _kind(value: object) -> str:
    """Name a value's JSON type for a message; never the value itself, which may be somebody's phone number."""
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", int: "a number"}
    return names.get(type(value), "a number")


class _Moment:
    """Points in time as the sources write them, for one zone, unit and semantic type."""

    def __init__(self, zone: LocalZone, unit: TimestampUnit, semantic: str | None) -> None:
        self._zone = zone
        self._counts_days = semantic in DAY_SEMANTICS
        self._knows_days = semantic is not None
        self._multiply, self._divide = _PER_UNIT[TIME_SEMANTICS.get(semantic or "", unit)]

    def to_instant(self, value: object) -> int:
        """Give epoch ms; a date without a time is the last millisecond of that local day."""
        if type(value) is str:
            if len(value) == 27 and value[26] == "Z" and value[10] == "T":  # noqa: PLR2004 - 2026-02-02T17:24:09.279328Z
                try:
                    span = datetime.fromisoformat(value) - _EPOCH
                except ValueError:
                    raise UnreadableDate("not a date") from None
                return span.days * _DAY_MS + span.seconds * 1000 + span.microseconds // 1000
            return self._from_text(value)
        if type(value) is int:
            if self._counts_days:
                return self._zone.end_of_day(_bounded_day(value))
            wall = value * self._multiply // self._divide
            return self._zone.to_utc(wall) if _YEAR_ONE_MS <= wall <= MAX_MS else _clamp(wall)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return self.to_instant(to_int(value))
        raise ValueError(f"{_kind(value)} instead of a time")

    def to_utc_instant(self, value: object) -> int:
        """Do as `to_instant` where the wall clock shows UTC, faster for numbers."""
        if type(value) is int:
            wall = value * self._multiply // self._divide
            if _YEAR_ONE_MS <= wall <= MAX_MS:
                return wall
        return self.to_instant(value)

    def to_end_of_day(self, value: object) -> int:
        """Give the last millisecond of the local day of the value."""
        if type(value) is int:
            if self._counts_days or (not self._knows_days and abs(value) <= _MOST_DAYS):
                return self._zone.end_of_day(_bounded_day(value))
            return self._zone.end_of_day(_clamp(value * self._multiply // self._divide) // _DAY_MS)
        if type(value) is str:
            match = _ISO.fullmatch(value)
            if match and (match["time"] is None or match["zone"] is None):
                _time_of_day(match["time"] or "00:00", None)
                return self._zone.end_of_day(_day_of(match["day"]))
        moment = self.to_instant(value)
        return moment if is_extreme_year(moment) else self._zone.end_of_day(self._zone.local_day(moment))

    def _from_text(self, text: str) -> int:
        match = _ISO.fullmatch(text)
        if match is None:
            if _FAR.fullmatch(text):
                return MIN_MS if text.startswith("-") else MAX_MS
            raise UnreadableDate("not a date")
        day = _day_of(match["day"])
        if match["time"] is None:
            return self._zone.end_of_day(day)
        wall = day * _DAY_MS + _time_of_day(match["time"], match["fraction"])
        return self._zone.to_utc(wall) if match["zone"] is None else _clamp(wall - _offset_of(match["zone"]))


_MOST_DAYS = 3_652_059  # days in ten thousand years: a larger number in a date column is a time stamp

DAY_SEMANTICS = frozenset({"io.debezium.time.Date", "org.apache.kafka.connect.data.Date"})
"""Schema names of numbers that count days."""

TIME_SEMANTICS: dict[str, TimestampUnit] = {
    "io.debezium.time.Timestamp": "ms",
    "io.debezium.time.MicroTimestamp": "us",
    "io.debezium.time.NanoTimestamp": "ns",
    "org.apache.kafka.connect.data.Timestamp": "ms",
}
"""Schema names of numbers that count from 1970 on the wall clock, written as if it were UTC."""


def _bounded_day(day: int) -> int:
    """Keep a count of days in the years 1 to 9999; PostgreSQL's infinities are beyond them."""
    if day < -_EPOCH_DAY + 1:
        return MIN_MS // _DAY_MS
    return min(day, MAX_MS // _DAY_MS)


def _day_of(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        raise UnreadableDate("no such day") from None


def _time_of_day(text: str, fraction: str | None) -> int:
    """Give `17:24[:09]` and a fraction as milliseconds, rounded down; 24:00 is the end of the day."""
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:] or 0)
    millis = int(((fraction or "") + "000")[:3])
    is_end = hour == 24 and minute == second == millis == 0  # noqa: PLR2004
    if not is_end and (hour > 23 or minute > 59 or second > 60):  # noqa: PLR2004 - 60: a leap second
        raise UnreadableDate("no such time of day")
    return ((hour * 60 + minute) * 60 + second) * 1000 + millis


def _offset_of(zone: str) -> int:
    """Give `Z`, `+08`, `+0800` or `+08:00` as milliseconds east of UTC."""
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 18 or minutes > 59:  # noqa: PLR2004 - PostgreSQL and Java allow 18 hours at most
        raise UnreadableDate("no such time zone")
    return (hours * 60 + minutes) * (60_000 if zone[0] == "+" else -60_000)
