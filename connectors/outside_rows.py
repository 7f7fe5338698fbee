"""What rows of files and of web services have in common: when they were true, and whose they are.

Rows are ordered by the time that their sender says, so one far ahead would hide every later one.
"""

from decimal import Decimal

from schemas import Columns, RowForm

MOST_AHEAD_MS = 300_000
"""Five minutes: clocks of machines that keep time at all agree within."""
_LEAST_NUMBER = 100_000_000_000
"""1973 in milliseconds, and the year 5138 in seconds: a smaller number is in seconds."""
_DAY_MS = 86_400_000
_MOST_DIGITS = 15
"""Of milliseconds; an exponent beyond would take minutes to write out as an integer."""


def moment_of(form: RowForm, said: object, *, now_ms: int) -> int:
    """Give the time as epoch ms. `said`: ISO 8601, read as the table's columns are, or epoch ms. Raises ValueError."""
    if isinstance(said, bool) or not isinstance(said, str | int | Decimal):
        raise ValueError("neither ISO 8601 nor epoch milliseconds")  # noqa: TRY004 - as for other cells
    at = form.moment(said) if isinstance(said, str) else _milliseconds(Decimal(said))
    if isinstance(said, str) and ":" not in said and at - _DAY_MS <= now_ms:
        at = min(at, now_ms)  # a date is the end of its day, and today's has not come
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


def with_instance(form: RowForm, columns: Columns) -> Columns:
    """Give a row that says whose it is: of nobody, where the table allows that and the row does not name it."""
    mapping = form.mapping
    if mapping.is_instance_optional and mapping.instance is not None and mapping.instance not in columns:
        return {**columns, mapping.instance: None}
    return columns


def _milliseconds(said: Decimal) -> int:
    if not said.is_finite() or said.adjusted() >= _MOST_DIGITS:
        raise ValueError("no epoch milliseconds")
    if said < _LEAST_NUMBER:
        raise ValueError("too small for epoch milliseconds; is it in seconds?")
    return int(said)
