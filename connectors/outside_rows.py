"""What rows of files and of web services have in common: when they were true, and whose they are.

Rows are ordered by the time that their sender says, so one far ahead would hide every later one.
"""

import re
from decimal import Decimal

from schemas import Columns, Origin, RowForm

MOST_AHEAD_MS = 300_000
"""Five minutes: clocks of machines that keep time at all agree within."""
MOST_ROW_BYTES = 1_000_000
"""Of a row's record with its key: brokers and producers take 1 MiB by default, headers included."""
_MOST_BYTES_A_LETTER = 6
"""In JSON, of a control character; all others take less."""
_LEAST_NUMBER = 100_000_000_000
"""1973 in milliseconds, and the year 5138 in seconds: a smaller number is in seconds."""
_MOST_DIGITS = 13
"""Of milliseconds until 2286: a number with more counts microseconds, and an exponent far beyond would take minutes to
write out as an integer."""
_DAY = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2}) ?(?P<zone>Z|[+-][0-9:]+)?", re.ASCII)


def moment_of(form: RowForm, said: object, *, now_ms: int) -> int:
    """Give the time as epoch ms. `said`: ISO 8601, read as the table's columns are, or epoch ms. Raises ValueError.

    A date is the beginning of its day, whenever it is asked: a row that comes again must not be newer than before.
    """
    if isinstance(said, bool) or not isinstance(said, str | int | Decimal):
        raise ValueError("neither ISO 8601 nor epoch milliseconds")  # noqa: TRY004 - as for other cells
    at = form.moment(_with_time(said)) if isinstance(said, str) else milliseconds(said)
    if at > now_ms + MOST_AHEAD_MS:
        raise ValueError("in the future: rows that come later would be held for older ones")
    return at


def is_text(text: str) -> bool:
    """Tell whether text can be written as UTF-8: JSON's escapes can name half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def too_large(form: RowForm, columns: Columns) -> str | None:
    """Say that a row is larger than what a broker takes; None: it is not. Else it would hold up all others for ever."""
    letters = sum(len(value) for value in columns.values() if isinstance(value, str))
    if letters * _MOST_BYTES_A_LETTER < MOST_ROW_BYTES:  # the usual row is not written for it
        return None
    size = len(form.record("u", columns, Origin(connector="", src="", src_ts=0))) + len(form.key(columns))
    return f"takes {size} bytes, and a record holds {MOST_ROW_BYTES}" if size > MOST_ROW_BYTES else None


def with_instance(form: RowForm, columns: Columns) -> Columns:
    """Give a row that says whose it is: of nobody, where the table allows that and the row does not name it."""
    mapping = form.mapping
    if mapping.is_instance_optional and mapping.instance is not None and mapping.instance not in columns:
        return {**columns, mapping.instance: None}
    return columns


def milliseconds(number: int | Decimal) -> int:
    """Give a number that can be nothing but epoch milliseconds, of 1973 to 2286. Raises ValueError."""
    said = Decimal(number)
    if not said.is_finite() or said.adjusted() >= _MOST_DIGITS:
        raise ValueError("no epoch milliseconds; is it in microseconds?")
    if said < _LEAST_NUMBER:
        raise ValueError("too small for epoch milliseconds; is it in seconds?")
    return int(said)


def _with_time(said: str) -> str:
    date = _DAY.fullmatch(said)
    return said if date is None else f"{date['day']} 00:00:00{date['zone'] or ''}"
